"""Hidden states of a model behind vLLM's server, by files in a folder that both sides see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.backends.extracted_states.transfer import StatesEngine, written_path
from slmroute_plugin.backends.openai_compatible.requests import RequestBodies
from slmroute_plugin.backends.openai_compatible.server import Connection, Measure
from slmroute_plugin.backends.state_tokens import state_tokens
from slmroute_plugin.observation import Missing
from slmroute_plugin.openai_protocol.answer_text import mapping
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.signals import HiddenState, PromptStates

if TYPE_CHECKING:
    from slmroute_plugin.backends.extracted_states.written_states import StateReader, WrittenStates

NOT_STARTED = "was not started for hidden states"


class ReadTokens(NamedTuple):
    """The tokens whose hidden states are wanted.

    Attributes:
        prompt: ids of the prompt's tokens.
        answer: ids of the answer's tokens, those of think text included, up to the last that is
            kept.
        start: the first of the answer's tokens that is kept.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    start: int = 0


async def find_engine(
    connection: Connection, bodies: RequestBodies, ids: Sequence[int]
) -> StatesEngine | str:
    """Find out by one call whether a server hands out hidden states that can be read here.

    Args:
        connection: to the server.
        bodies: makes requests.
        ids: tokens of a short text.

    Returns:
        What the server says of its engine; or why there are no states, to follow "this server".
    """
    told = await connection.post(bodies.reading(ids, 0), _transferred, path="/completions")
    if isinstance(told, Failure):
        return f"{NOT_STARTED}, or refuses to read tokens: {told.text}"
    engine, path = StatesEngine.of(told), written_path(told)
    if engine is None or path is None:
        return NOT_STARTED
    try:
        await _taken(path, len(ids))
    except OSError as error:
        return (
            f"writes hidden states to {path.parent}, where they cannot be read and removed from "
            f"here ({type(error).__name__}): start it with a folder that both share "
            "(`slmroute vllm-args --folder`)"
        )
    return engine


class StateRequests:
    """Requests for the hidden states of answers.

    Args:
        connection: to the server.
        bodies: makes requests.
        engine: what the server says of its engine.
    """

    def __init__(self, connection: Connection, bodies: RequestBodies, engine: StatesEngine) -> None:
        self._connection = connection
        self._bodies = bodies
        self._engine = engine

    async def values(
        self,
        read: ReadTokens | Missing,
        signals: Sequence[HiddenState | PromptStates],
        measure: Measure,
    ) -> Mapping[HiddenState | PromptStates, Any]:
        """Have prompt and answer read once more, and return the value of each signal.

        It is missing, or a failure, where the server does not hand it out.
        """
        if isinstance(read, Missing):
            return dict.fromkeys(signals, read)
        ids = [*read.prompt, *read.answer]
        of_prompt = any(isinstance(signal, PromptStates) for signal in signals)
        body = self._bodies.reading(ids, 0 if of_prompt else len(read.prompt) - 1)
        told = await self._connection.post(body, _transferred, measure, path="/completions")
        if isinstance(told, Failure):
            return dict.fromkeys(signals, told)
        path = written_path(told)
        if path is None:
            return dict.fromkeys(signals, Missing("the server wrote no hidden states"))
        try:
            written = await _taken(path, len(ids))
        except OSError as error:
            reason = Missing(f"the server's hidden states cannot be read ({error})")
            return dict.fromkeys(signals, reason)
        return {signal: self._value(signal, written, read) for signal in signals}

    def _value(
        self, signal: HiddenState | PromptStates, written: WrittenStates, read: ReadTokens
    ) -> Any:
        if isinstance(signal, PromptStates):
            return self._reader.means(written, len(read.prompt))
        tokens = state_tokens(signal, len(read.prompt), read.start, len(read.answer))
        return self._reader.value(written, signal, tokens)

    @cached_property
    def _reader(self) -> StateReader:
        # Here and not above: models behind an API need no torch otherwise.
        from slmroute_plugin.backends.extracted_states.written_states import StateReader

        return StateReader(self._engine.layers, self._engine.depth, self._norm)

    def _norm(self) -> Callable[[Any], Any] | Missing:
        from slmroute_plugin.backends.extracted_states.final_norm import final_norm

        # Code that a server names is never run here.
        return final_norm(self._engine.model, self._engine.revision)


async def _taken(path: Path, tokens: int) -> WrittenStates:
    """Read and remove the file that a server wrote for a sequence of so many tokens.

    Raises:
        OSError: it cannot be read or removed from here.
    """
    from anyio.to_thread import run_sync

    from slmroute_plugin.backends.extracted_states.written_states import WrittenStates

    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is not here")
    return await run_sync(partial(WrittenStates.taken, path, tokens))


def _transferred(body: Any) -> Mapping[str, Any]:
    return mapping(mapping(body).get("kv_transfer_params"))
