"""What is on every figure, and that it can be read."""

from __future__ import annotations

from made_tables import HOSTILE, made_tables
from readable_figures import Drawings, assert_readable, drawn, words

from slmroute_plugin.analysis.tables.tables import Tables


def test_figures_are_named_for_what_they_show(few: Drawings, many: Drawings) -> None:
    assert list(few) == [
        "routing_curves",
        "relative_accuracy",
        "distributions_HuggingFaceTB_SmolLM2-1.7B-Instruct",
        "auroc_other",
        "routing_curves_gpt-4.1-mini",
        "ranks_gpt-4.1-mini",
        "reliability_HuggingFaceTB_SmolLM2-1.7B-Instruct",
    ]
    # The paper's numbers are those of its own figures alone.
    assert not any("figure" in name for name in many)
    groups = {name.split("_page")[0] for name in many if name.startswith("auroc")}
    tags = {"math", "commonsense", "conversational", "problem_solving"}
    assert groups == {f"auroc_{tag}" for tag in tags}


def test_all_text_of_a_small_study_can_be_read(few: Drawings) -> None:
    for name, figure in few.items():
        assert_readable(name, figure)


def test_all_text_of_a_large_study_can_be_read(many: Drawings) -> None:
    for name, figure in many.items():
        assert_readable(name, figure)


def test_no_panel_is_empty(few: Drawings, many: Drawings) -> None:
    for found in (few, many):
        for name, figure in found.items():
            assert figure.axes, name
            assert all(axes.has_data() for axes in figure.axes), name


def test_every_method_is_in_the_key_with_its_coverage(small: Tables, few: Drawings) -> None:
    covered = small.routing[small.routing["method"] == "verbalization_2s"]["coverage"]
    low, high = round(100 * covered.min()), round(100 * covered.max())
    without_line = ": not drawn" if covered.mean() < 0.5 else ""
    for name in ("routing_curves", "relative_accuracy"):
        (legend,) = few[name].legends
        entries = [text.get_text() for text in legend.get_texts()]
        for method in set(small.routing["method"]):
            assert any(entry.split(" ")[0] == method for entry in entries), (name, method)
        assert f"verbalization_2s (on {low}–{high}%){without_line}" in entries


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    found = drawn(made_tables(HOSTILE[:2], HOSTILE, HOSTILE, HOSTILE[4:]))
    for name, figure in found.items():
        assert_readable(name, figure)
    (legend,) = found["routing_curves"].legends
    entries = [text.get_text() for text in legend.get_texts()]
    for method in HOSTILE[:1] + HOSTILE[2:4]:
        assert method in entries
    assert not any(text.get_parse_math() for figure in found.values() for text in words(figure))
