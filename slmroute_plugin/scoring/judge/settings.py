"""`metadata.slmroute.judge`: which LLM scores free-form answers, and what it is told."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict, Field, field_validator

from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.scoring.judge.prompt import PROMPT, template_fault


class JudgeSettings(LlmSettings):
    """The settings of the LLM that scores free-form answers, reached like the LLM of a route.

    Attributes:
        prompt: The text that it is told, with the placeholders {question}, {references} and
            {answer}, and {false_answers} if need be. Each is filled with one JSON value.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    prompt: str = Field(default=PROMPT)

    @field_validator("prompt")
    @classmethod
    def _usable_prompt(cls, prompt: str) -> str:
        if fault := template_fault(prompt):
            raise ValueError(f"the prompt {fault}")
        return prompt

    @field_validator("replay")
    @classmethod
    def _no_replay(cls, replay: Path | None) -> Path | None:
        if replay is not None:
            raise ValueError("a recorded run cannot judge: name a `model`")
        return replay

    def llm(self) -> LlmSettings:
        """Return how the model is reached, without what it is told."""
        return LlmSettings.model_validate(self.model_dump(exclude={"prompt"}))
