"""Plugins of strangers: found, ordered, and kept from doing harm."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from types import SimpleNamespace
from typing import Any, ClassVar

import pluggy
import pytest

from slmroute_plugin import Confidences, TokenLogprobs, hookimpl, hookspecs
from slmroute_plugin.plugins.loading import plugin_manager
from slmroute_plugin.plugins.methods import registered_methods


@dataclass(frozen=True)
class Fine:
    name: ClassVar[str] = "fine"
    asks: ClassVar[tuple[Any, ...]] = (TokenLogprobs(),)

    def confidence(self, seen: Any) -> float:
        return 0.5


def manager(*plugins: Any) -> pluggy.PluginManager:
    made = pluggy.PluginManager("slmroute")
    made.add_hookspecs(hookspecs)
    for index, plugin in enumerate(plugins):
        made.register(plugin, name=f"plugin{index}")
    return made


def offering(*methods: Any) -> Any:
    class Plugin:
        @hookimpl
        def slmroute_methods(self) -> list[Any]:
            return list(methods)

    return Plugin()


def test_the_built_in_methods_come_through_the_entry_point_and_first() -> None:
    found = registered_methods()
    assert list(found)[:6] == [
        "average_token_prob",
        "perplexity",
        "p_true",
        "verbalization_1s",
        "verbalization_2s",
        "jaccard_degree",
    ]
    assert found["p_true"].distribution.startswith("slmroute ")


def test_a_strangers_method_is_offered_beside_ours() -> None:
    import uq_plugins

    found = registered_methods(manager(uq_plugins, offering(Fine())))
    assert list(found)[-1] == "fine"
    assert found["fine"].plugin == "plugin1"
    assert list(found)[:-1] == [method.name for method in uq_plugins.slmroute_methods()]


def test_a_taken_name_stays_with_who_came_first(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Fine(), Fine()
    found = registered_methods(manager(offering(first), offering(second)))
    assert found["fine"].method is first
    assert "taken by plugin 'plugin0'" in caplog.text


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (SimpleNamespace(asks=(), confidence=len), "its name None is not an identifier"),
        (SimpleNamespace(name="a b", asks=(), confidence=len), "is not an identifier"),
        (
            SimpleNamespace(name="free", asks=(), confidence=len),
            "'free' is that of a set of methods",
        ),
        (SimpleNamespace(name="a", asks=[], confidence=len), "not a tuple of signals"),
        (SimpleNamespace(name="a", asks=()), "no `confidence(seen)`"),
        (SimpleNamespace(name="a", asks=("text",), confidence=len), "holds 'text', which is not a"),
        (
            SimpleNamespace(name="a", asks=(Confidences(),), confidence=len),
            "only a trained method may ask for Confidences()",
        ),
        (
            SimpleNamespace(
                name="a", asks=(TokenLogprobs(),), trains_on="in_domain", fit=len, predict=len
            ),
            "one signal: HiddenState(), PromptStates(), QuestionTerms() or Confidences()",
        ),
    ],
)
def test_a_malformed_method_is_left_out_with_a_warning(
    method: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(registered_methods(manager(offering(method, Fine())))) == ["fine"]
    assert said in caplog.text


def test_a_hook_that_raises_takes_no_other_along(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        @hookimpl
        def slmroute_methods(self) -> list[Any]:
            raise RuntimeError("out of order")

    assert list(registered_methods(manager(Broken(), offering(Fine())))) == ["fine"]
    assert "'plugin0' offers no methods: RuntimeError: out of order" in caplog.text


@pytest.mark.parametrize("value", ["no_such_module_anywhere", "tests_broken_plugin"])
def test_a_plugin_that_fails_to_load_costs_a_warning(
    value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    (tmp_path / "tests_broken_plugin.py").write_text(
        "from slmroute_plugin import hookimpl\n\n"
        "@hookimpl\ndef slmroute_no_such_hook():\n    return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    real = metadata.entry_points
    broken = metadata.EntryPoint("broken", value, "slmroute")

    def with_broken(**chosen: Any) -> Any:
        return [*real(**chosen), broken] if chosen.get("group") == "slmroute" else real(**chosen)

    monkeypatch.setattr(metadata, "entry_points", with_broken)
    plugin_manager.cache_clear()
    try:
        assert "p_true" in registered_methods()
        assert not plugin_manager().has_plugin("broken")
        assert f"Plugin 'broken' ({value}) was left out" in caplog.text
    finally:
        plugin_manager.cache_clear()
