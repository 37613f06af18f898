"""What is on every figure, and that it can be read."""

from __future__ import annotations

from made_tables import HOSTILE, made_tables
from readable_figures import Drawings, assert_readable, drawn, words

from slmroute_plugin.analysis.tables.tables import Tables


def test_figures_are_named_by_their_numbers(few: Drawings, many: Drawings) -> None:
    assert list(few) == [
        "figure_01_routing_curves",
        "figure_02_relative_accuracy",
        "figure_03_distributions_HuggingFaceTB_SmolLM2-1.7B-Instruct",
        "figure_auroc_other",
        "figure_08_routing_curves_gpt-4.1-mini",
        "figure_ranks_gpt-4.1-mini",
    ]
    numbers = {name.split("_")[1] for name in many}
    assert numbers == {"01", "02", "03", "04", "05", "06", "07", "08", "09", "ranks"}


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
    for name in ("figure_01_routing_curves", "figure_02_relative_accuracy"):
        (legend,) = few[name].legends
        entries = [text.get_text() for text in legend.get_texts()]
        for method in set(small.routing["method"]):
            assert any(entry.split(" ")[0] == method for entry in entries), (name, method)
        assert f"verbalization_2s (on {low}–{high}%)" in entries


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    found = drawn(made_tables(HOSTILE[:2], HOSTILE, HOSTILE, HOSTILE[4:]))
    for name, figure in found.items():
        assert_readable(name, figure)
    (legend,) = found["figure_01_routing_curves"].legends
    entries = [text.get_text() for text in legend.get_texts()]
    for method in HOSTILE[:1] + HOSTILE[2:4]:
        assert method in entries
    assert not any(text.get_parse_math() for figure in found.values() for text in words(figure))
