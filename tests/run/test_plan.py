"""Which hidden state a run keeps: that of its settings, or those that trained methods read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from slmroute_plugin.probes.files import probe_path, save_probe
from slmroute_plugin.probes.probe import Probe, Provenance
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.signals import FirstTokenProbs, HiddenState, Samples
from slmroute_plugin.storage.source import Source

MEAN = {"position": "mean_answer"}


class Everything:
    """A backend that refuses nothing."""

    local = True

    def refuses(self, signal: Any) -> None:
        """Refuse no signal."""

    def observe(self, questions: Any, signals: Any, seed: int) -> Iterator[Any]:
        """Ask nothing."""
        return iter(())


class ReadsPromptsToo(Everything):
    """A backend that reads prompts without answering them."""

    def observe_prompts(self, questions: Any, signals: Any, seed: int) -> Iterator[Any]:
        """Read nothing."""
        return iter(())


def plan(rows: Literal["training", "evaluation"], backend: Any = None, **settings: Any) -> TaskPlan:
    source = Source("model", "task", "data", "hub", rows)
    return TaskPlan(backend or Everything(), parse_settings(settings), source, Path("nowhere"))


@pytest.mark.parametrize("rows", ["training", "evaluation"])
@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, HiddenState()),
        ({"hidden_states": {"layer": -4}}, HiddenState(-4)),
        ({"hidden_states": {"layer": [-4, -8, -4], **MEAN}}, HiddenState((-4, -8), "mean_answer")),
        (
            {"options": {"trained_probe": {"layer": -16, **MEAN}}},
            HiddenState(-16, "mean_answer"),
        ),
        (
            {"options": {name: {"layer": -16, **MEAN} for name in ("trained_probe", "ood_probe")}},
            HiddenState(-16, "mean_answer"),
        ),
        (
            {"options": {"trained_probe": {"layer": -4}, "ood_probe": {"layer": -16}}},
            HiddenState((-16, -4)),
        ),
        (
            {
                "hidden_states": {"layer": [-4, -8], **MEAN},
                "options": {"trained_probe": {"layer": -4, **MEAN}},
            },
            HiddenState((-4, -8), "mean_answer"),
        ),
    ],
)
def test_what_is_kept(rows: Any, settings: Any, kept: HiddenState) -> None:
    assert plan(rows, **settings).kept == [kept]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"hidden_states": {"layer": -4}, "options": {"trained_probe": {"layer": -16}}},
            "trained_probe: it reads layer -16 at last_answer, and layer -4 at last_answer",
        ),
        (
            {"options": {"trained_probe": {"layer": -4}, "ood_probe": MEAN}},
            "trained_probe, ood_probe read last_answer, mean_answer",
        ),
    ],
)
def test_states_that_do_not_go_together_are_an_error(settings: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        plan("evaluation", **settings)


def test_no_layers_are_none_to_keep() -> None:
    with pytest.raises(SettingsError, match=r"hidden_states\.layer"):
        parse_settings({"hidden_states": {"layer": []}})


def test_samples_that_methods_share_are_asked_for_once() -> None:
    made = plan("evaluation", uq=["agreement_and_stated", "answer_agreement"])
    assert {ask for ask in made.signals if isinstance(ask, Samples)} == {Samples(5)}
    assert Samples(2) in made.asked


def test_what_is_asked_before_an_answer_is_what_the_route_reads(tmp_path: Path) -> None:
    route = {"method": "p_ik", "ratio": 0.5, "llm": {"replay": str(tmp_path)}}
    asked = {"uq": ["p_ik", "perplexity", "probe_dirichlet"], "route": {**route, "when": "before"}}
    made = plan("evaluation", ReadsPromptsToo(), **asked)
    assert made.of_prompt is not None
    assert [type(signal) for signal in made.of_prompt] == [FirstTokenProbs]
    assert made.of_prompt < made.signals
    assert plan("training", ReadsPromptsToo(), **asked).of_prompt is None
    assert plan("evaluation", **{**asked, "route": route}).of_prompt is None
    with pytest.raises(
        SettingsError, match=r"route\.when: this model answers each prompt"
    ) as error:
        plan("evaluation", **asked)
    assert "--model hf or vllm" in str(error.value)


class OneLayer(Everything):
    """A backend that hands out one hidden state."""

    def refuses(self, signal: Any) -> Any:
        """Refuse other hidden states."""
        refused = isinstance(signal, HiddenState) and signal != HiddenState(-8)
        return "it was started for other layers" if refused else None


def test_a_probe_of_a_layer_that_the_model_does_not_show_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provenance = Provenance(
        "trained_probe", {"layer": -16}, "training split", "model", "data", {}, 0.5, {}, 0, "1"
    )
    probe = Probe(
        provenance, HiddenState(-16), (8,), ({"weight": np.zeros(8, np.float32)},),
        np.zeros((0, 16), np.uint8), np.zeros(0, np.int64),
    )  # fmt: skip
    save_probe(probe_path(tmp_path, "data", "trained_probe"), probe)
    source = Source("model", "task", "data", "hub", "evaluation")
    made = TaskPlan(OneLayer(), parse_settings({"uq": "paper"}), source, tmp_path)
    assert "trained_probe is left out: it was started for other layers" in caplog.text
    assert not made.fitted
    assert HiddenState(-16) not in made.signals
    assert TaskPlan(Everything(), parse_settings({"uq": "paper"}), source, tmp_path).fitted
    with pytest.raises(SettingsError, match="trained_probe cannot run: it was started for other"):
        TaskPlan(OneLayer(), parse_settings({"uq": ["trained_probe"]}), source, tmp_path)
