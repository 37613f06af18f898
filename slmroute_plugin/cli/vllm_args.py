"""`slmroute vllm-args`: how to start vLLM under lm-eval so that it hands out hidden states."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

_IN_MEMORY = Path("/dev/shm")


def vllm_args(
    model: Annotated[
        str,
        typer.Argument(help="The model as lm-eval's `pretrained` names it.", show_default=False),
    ],
    layer: Annotated[
        list[int] | None,
        typer.Option(
            help="A hidden state to hand out: 0 is the embedding, -1 the last, -8 what "
            "trained_probe and ood_probe take. May be given more than once."
        ),
    ] = None,
    prompt_states: Annotated[
        bool, typer.Option("--prompt-states", help="All hidden states, as probe_dirichlet takes.")
    ] = False,
    dtype: Annotated[
        str | None, typer.Option(help="That the engine runs in; default: the checkpoint's own.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Of the model.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let the model's own code run.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Print the options of `vllm serve` instead.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the engine writes states until they are read, by the same user; default: "
            "in memory where there is /dev/shm.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the --model_args with which vLLM hands out hidden states, for the probes.

    One engine hands out one set of layers, which is fixed when it starts. The line goes to
    standard output; what it costs goes to standard error. With --serve, a server hands them out
    to clients that share the folder.

    Example: lm_eval --model vllm --model_args "$(slmroute vllm-args Qwen/Qwen3-0.6B --layer -8)"
    --tasks slmroute_gsm8k --include_path $(slmroute tasks) --batch_size auto
    """
    if not layer and not prompt_states:
        raise typer.BadParameter("give --layer, --prompt-states or both")
    from slmroute_plugin.backends.vllm.start_arguments import cache_cost, hidden_state_arguments

    config = _config(model, revision, trust_remote_code)
    depth = int(config.get_text_config().num_hidden_layers)
    layers = _layers(layer or (), depth, all_of_them=prompt_states)
    given: dict[str, Any] = {"pretrained": model}
    if revision is not None:
        given["revision"] = revision
    if trust_remote_code:
        given["trust_remote_code"] = True
    if dtype is not None:
        given["dtype"] = dtype
    extracts = _hands_out_states(config)
    if extracts is False:
        raise typer.BadParameter(
            f"vLLM's {_architecture(config)} hands out no hidden states (it lacks SupportsEagle3). "
            "Run the probes' methods with `--model hf`."
        )
    place = folder or (_IN_MEMORY if _IN_MEMORY.is_dir() else Path(tempfile.gettempdir()))
    arguments = hidden_state_arguments(layers, place / "slmroute-hidden-states")
    printed = {**given, **arguments}
    typer.echo(_serve_options(printed) if serve else json.dumps(printed))
    cost = cache_cost(config, len(layers), dtype)
    typer.echo(
        f"Each cached token takes {cost.attention + cost.states:,} bytes in place of "
        f"{cost.attention:,} ({cost.states / cost.attention:+.0%}): the engine caches "
        f"{cost.attention / (cost.attention + cost.states):.0%} as many tokens.",
        err=True,
    )
    if extracts is None:
        typer.echo(
            "vLLM is not installed here, so it is not known whether its "
            f"{_architecture(config)} hands out states (SupportsEagle3).",
            err=True,
        )


def _serve_options(arguments: Mapping[str, Any]) -> str:
    """Return what follows `vllm serve` for the arguments of its engine."""
    words = [str(arguments["pretrained"])]
    for name, value in arguments.items():
        if name == "pretrained":
            continue
        words.append(f"--{name.replace('_', '-')}")
        if isinstance(value, dict):
            words.append(json.dumps(value))
        elif value is not True:
            words.append(str(value))
    return shlex.join(words)


def _config(model: str, revision: str | None, trust_remote_code: bool) -> Any:
    """Read a model's configuration.

    Raises:
        BadParameter: there is none that can be read.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            model, revision=revision, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"{model} has no configuration that can be read: {error}"
        ) from error


def _layers(asked: tuple[int, ...] | list[int], depth: int, *, all_of_them: bool) -> list[int]:
    """List the indices of the layers that are asked for, from 0 for the embedding.

    Raises:
        BadParameter: the model does not have a layer.
    """
    indices = set(range(depth + 1)) if all_of_them else set()
    for layer in asked:
        if not -depth - 1 <= layer <= depth:
            raise typer.BadParameter(
                f"--layer {layer}: the model has hidden states {-depth - 1} to {depth}"
            )
        indices.add(layer % (depth + 1))
    return sorted(indices)


def _hands_out_states(config: Any) -> bool | None:
    """Tell whether vLLM's own code for this model hands out states; None if vLLM is not here."""
    try:
        from vllm.model_executor.models import ModelRegistry
    except ImportError:
        return None
    known = [ModelRegistry.models.get(name) for name in config.architectures or ()]
    classes = [model.load_model_cls() for model in known if model is not None]
    return any(getattr(kind, "supports_eagle3", False) for kind in classes)


def _architecture(config: Any) -> str:
    """Return the name of a model's class, as its configuration has it."""
    return ", ".join(config.architectures or ["model"])
