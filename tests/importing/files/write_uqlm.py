"""Write the result frames of uqlm that the tests import, in an environment of uqlm's own.

    python -m venv runs/uqlm
    runs/uqlm/bin/pip install torch==2.13.0 uqlm==0.6.7 "pyarrow<22"
    runs/uqlm/bin/python tests/importing/files/write_uqlm.py tests/importing/files

The chat model is scripted, so that no key is needed: replies and log-probabilities are made up
here. All else in the files is what uqlm computes and pandas writes.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from uqlm import BlackBoxUQ, WhiteBoxUQ

PROMPTS = {
    "What is 3 + 4?": ("7", [-0.05, -0.1], ["7", "7", "8"]),
    "What is 12 - 5?": ("The answer is 7", [-0.2, -0.1, -0.01, -0.9], ["7", "17", "6"]),
    "What is 6 + 9?": ("16", [-1.2, -0.7], ["15", "16", "14"]),
    "What is 20 - 2?": ("18", [-0.3], ["18", "18", "18"]),
}
TRUTHS = [7, 7, 15, 18]


class ScriptedChat(BaseChatModel):
    """A chat model with known replies: the first of a prompt, and then the samples in turn."""

    logprobs: bool = False
    temperature: float = 0.0
    turns: dict[str, Any] = {}  # noqa: RUF012 - a field of pydantic

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: Any, *arguments: Any, **options: Any) -> ChatResult:
        prompt = str(messages[-1].content)
        reply, logprobs, samples = PROMPTS[prompt]
        sampled = self.turns.setdefault(prompt, cycle(samples))
        text = next(sampled) if self.temperature else reply
        tokens = [{"token": f"t{at}", "logprob": each} for at, each in enumerate(logprobs)]
        message = AIMessage(text, response_metadata={"logprobs": {"content": tokens}})
        return ChatResult(generations=[ChatGeneration(message=message)])


async def write(folder: Path) -> None:
    """Write the frame of a white-box and of a black-box run, each as a user would save it."""
    prompts = list(PROMPTS)
    white = await WhiteBoxUQ(llm=ScriptedChat()).generate_and_score(
        prompts=prompts, show_progress_bars=False
    )
    frame = white.to_df().assign(truth=TRUTHS)
    frame.to_json(folder / "uqlm_white_box.jsonl", orient="records", lines=True)
    frame.to_parquet(folder / "uqlm_white_box.parquet")
    black = await BlackBoxUQ(llm=ScriptedChat(), scorers=["exact_match"]).generate_and_score(
        prompts=prompts, num_responses=3, show_progress_bars=False
    )
    frame = black.to_df()
    replies = list(frame["response"])
    frame["is_right"] = [reply.endswith(str(n)) for reply, n in zip(replies, TRUTHS, strict=True)]
    frame.to_json(folder / "uqlm_black_box.jsonl", orient="records", lines=True)
    frame.to_csv(folder / "uqlm_black_box.csv", index=False)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
