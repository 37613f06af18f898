"""The SLM that is asked: a model of lm-eval, or a server that speaks OpenAI's protocol."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmroute_plugin.llm.model_price import PriceList
from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.openai_protocol.endpoint import url_fault

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM
    from slmroute_plugin.run.assessor import Assessor

_SERVER_CLASS = "local-chat-completions"
# The LLM is there if the SLM does not answer: there is nothing to wait for.
_SERVER_DEFAULTS = {
    "max_retries": 1,
    "num_concurrent": 16,
    "tokenizer_backend": None,
    "tokenized_requests": False,
}
_THRESHOLDS = "thresholds"


class SlmError(ValueError):
    """An error for an SLM that cannot be used; its text names the fix."""


@dataclass(frozen=True)
class SlmChoice:
    """A choice of an SLM, and of how its answers are assessed.

    Attributes:
        model: The name of a model class of lm-eval (`hf`, `vllm`, …), or the base URL of a server.
        arguments: lm-eval's arguments of the model, `pretrained=…,dtype=float32`.
        kind: The kind of answer.
        cue: The last line of every question of the study; "" for none.
        method_options: The fields of a method to replace, by method name.
        seed: The seed of the sampled answers.
        probes: A model's folder of results with fitted probes; None for none.
        dataset: The data set that the probes were fitted for.
        prices: The prices of models that a user states.
    """

    model: str
    arguments: str = ""
    kind: AnswerKind = "free"
    cue: str = ""
    method_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    probes: Path | None = None
    dataset: str = ""
    prices: PriceList = field(default_factory=dict)

    def load(self) -> LM:
        """Load the model.

        Raises:
            SlmError: If there is no such class, or if the model cannot be loaded.
        """
        from slmroute_plugin.harness import model_class

        given = self._given
        name = self.model
        if self.model.startswith(("http://", "https://")):
            name, given = _SERVER_CLASS, self._of_server(given)
        try:
            return model_class(name).create_from_arg_obj(given, {})
        except Exception as error:  # each class refuses its arguments in its own way
            raise SlmError(
                f"--slm {self.model} --slm-args {self.arguments!r}: the model cannot be loaded "
                f"({type(error).__name__}: {error})."
            ) from error

    @property
    def facts(self) -> dict[str, Any]:
        """What determines the answers and confidences besides the question, without keys."""
        from slmroute_plugin.task.model_arguments import exposed_keys

        given = self._given
        secret = exposed_keys(given)
        return {
            "slm_class": self.model,
            "slm_args": {name: value for name, value in given.items() if name not in secret},
            "kind": self.kind,
            "cue": self.cue,
            "method_options": self.method_options,
            "seed": self.seed,
        }

    @property
    def _given(self) -> dict[str, Any]:
        from slmroute_plugin.harness import simple_parse_args_string

        given: dict[str, Any] = simple_parse_args_string(self.arguments)
        return given

    def _of_server(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if fault := url_fault(self.model):
            raise SlmError(f"--slm: the URL {fault}.")
        if "model" not in given:
            raise SlmError(
                f"--slm {self.model}: name the model at the server with --slm-args model=NAME."
            )
        url = f"{self.model.rstrip('/')}/chat/completions"
        return {**_SERVER_DEFAULTS, "base_url": url, **given}

    def assessor(self, lm: LM, methods: str | Sequence[str]) -> Assessor:
        """Make a model ready to answer with the confidences of methods.

        Raises:
            SettingsError: If a method cannot be served.
        """
        from slmroute_plugin.run.assessor import Assessor
        from slmroute_plugin.task.model_arguments import model_id

        return Assessor(
            lm,
            methods,
            kind=self.kind,
            chat=True,
            cue=self.cue,
            method_options=self.method_options,
            seed=self.seed,
            probes=self.probes,
            dataset=self.dataset,
            prices=self.prices,
            model=model_id(self._given),
        )


def probes_beside(threshold_file: Path) -> Path | None:
    """Return the folder of results that a threshold file lies in, where its probes are too.

    >>> probes_beside(Path("results/slm/thresholds/trained_probe.ratio-0.3.json")).as_posix()
    'results/slm'
    """
    parent = threshold_file.parent
    return parent.parent if parent.name == _THRESHOLDS else None


def quiet_lm_eval() -> None:
    """Let lm-eval log warnings alone."""
    logging.getLogger("lm_eval").setLevel(logging.WARNING)
