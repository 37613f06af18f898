"""What a run writes at its end, tried before its first question."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.storage.atomic_write import NotWritable, check_writable
from slmroute_plugin.storage.hidden_states import Feature, hidden_states_path

_DATE = "2000-01-01T00-00-00.000000"  # as long as any that lm-eval puts into a name
_PROGRAMS = frozenset({"lm_eval", "lm-eval"})


class LmEvalOutput(NamedTuple):
    """Where lm-eval itself will write, as its command line says.

    Attributes:
        path: the value of `--output_path`.
        log_samples: whether samples are written too.
    """

    path: Path
    log_samples: bool

    def files(self, model: str, task: str) -> list[Path]:
        """Return names as long as those of the files that lm-eval will write.

        Args:
            model: lm-eval's name of the model's folder.
            task: name of the task.
        """
        folder = self.path.parent if self.path.suffix == ".json" else self.path / model
        samples = [folder / f"samples_{task}_{_DATE}.jsonl"] if self.log_samples else []
        return [folder / f"results_{_DATE}.json", *samples]


def lm_eval_output() -> LmEvalOutput | None:
    """Return where lm-eval will write; None if it writes nothing, or if that is not known.

    A task is not told; the command line, and the file that it names with `--config`, say it.
    """
    program = Path(sys.argv[0])
    if _PROGRAMS.isdisjoint((program.stem, program.parent.name)):
        return None
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--output_path", "-o")
    parser.add_argument("--config", "-C")
    parser.add_argument("--log_samples", "-s", action="store_true")
    given, _ = parser.parse_known_args(sys.argv[1:])
    stated = _stated(given.config)
    path = given.output_path or stated.get("output_path")
    if not path:
        return None
    return LmEvalOutput(Path(str(path)), bool(given.log_samples or stated.get("log_samples")))


def check_outputs(
    settings: Settings, model: str, task: str, kept: Collection[type[Feature]], *, routes: bool
) -> None:
    """Try to write what a task's run will write.

    Args:
        settings: the task's.
        model: lm-eval's name of the model's folder.
        task: name of the task.
        kept: hidden states that are to be written.
        routes: whether answers may go to a stronger model.

    Raises:
        SettingsError: a file cannot be written; the text names it and the fix.
    """
    states = [hidden_states_path(settings.results / model, each, task) for each in kept]
    _try(
        [*states, *_caches(settings, routes=routes)],
        "Its folder is metadata.slmroute.results",
    )
    if output := lm_eval_output():
        _try(output.files(model, task), "Its folder is lm-eval's --output_path")


def _try(paths: Sequence[Path], whose: str) -> None:
    for path in paths:
        try:
            check_writable(path)
        except NotWritable as error:
            raise SettingsError(
                f"{error} {whose}: name one that can be written to. If a name is too long: a "
                "model's folder is called after its path, so link the model under a shorter one."
            ) from None


def _caches(settings: Settings, *, routes: bool) -> list[Path]:
    """Return the files of answers of the stronger model and of the judge."""
    asked = [settings.judge, settings.route.llm if settings.route and routes else None]
    return [
        settings.results / each.cache
        for each in asked
        if each is not None and each.model is not None and each.cache is not None
    ]


def _stated(config: str | None) -> dict[str, Any]:
    import yaml

    if config is None:
        return {}
    try:
        stated = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # lm-eval has read it, or said why it cannot
        return {}
    return stated if isinstance(stated, dict) else {}
