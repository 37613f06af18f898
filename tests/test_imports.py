"""The graph of imports: no module needs itself, however far away."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("slmroute_plugin", "uq_plugins", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    # Imports inside functions and those for type checkers alone are among them.
    assert "slmroute_plugin.llm.client" in imports["slmroute_plugin.plugins.llms"]
    assert "slmroute_plugin.routing.policy" in imports["slmroute_plugin.hookspecs"]
    # Raises CycleError, which names the modules.
    assert set(TopologicalSorter(imports).static_order()) == graph.modules
