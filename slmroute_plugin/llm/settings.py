"""The settings by which a stronger model is reached: `route.llm`, and part of `judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from slmroute_plugin.llm.model_price import ModelPrice, price_of
from slmroute_plugin.llm.prices import prices
from slmroute_plugin.openai_protocol.endpoint import url_fault

# What says how a model is asked, which a recording and a plugin know nothing of.
_OF_REQUESTS = frozenset(
    {
        *("base_url", "api_key_env", "generation", "think_end", "max_concurrency", "timeout_s"),
        *("max_attempts", "requests_per_minute", "tokens_per_minute", "max_cost_usd", "cache"),
    }
)
_NOT_PARAMETERS = frozenset({"model", "messages", "stream", "api_key", "extra_headers"})


class LlmSettings(BaseModel):
    """The settings of a model behind an OpenAI-compatible API, of a recorded run, or of a plugin.

    The limits hold for each process.

    Attributes:
        model: The model's name at the server.
        replay: In place of `model`, a folder of results of a plain run of the same tasks. Its
            answers are used, and nothing is asked.
        base_url: The base URL of the API; default `$OPENAI_BASE_URL`, else OpenAI's.
        api_key_env: The environment variable that holds the key. The key itself is never a
            setting, because lm-eval writes settings into its results.
        generation: Parameters of the API that replace the task's own, for instance
            `{max_tokens: 2048}`; null leaves a parameter out.
        think_end: The text behind which the answer begins, for models that think aloud.
        max_concurrency: The number of requests at the same time.
        timeout_s: The seconds after which an attempt is given up, however much of its answer is
            there.
        max_attempts: The number of attempts per question, the first included.
        requests_per_minute: The largest number of requests in a minute, spread evenly; null for
            no limit.
        tokens_per_minute: The approximate largest number of tokens in a minute, spread evenly;
            null for no limit. A token is taken to have four letters, and an answer to be as long
            as it may.
        max_cost_usd: The dollars after which no further question is sent. The questions that are
            left have an error for a reply. Requests on their way by then are still paid: at most
            `max_concurrency`. Cached answers cost nothing. The model's price must be known.
        price: The model's price; null for that in `prices`, the setting or the option beside
            these settings, or else a known one.
        cache: The file of answers, or null for none; default `<results>/.cache/llm.sqlite`.
        backend: In place of `model`, the mapping that a plugin's `slmroute_llm` is called with.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    model: str | None = Field(default=None, min_length=1)
    replay: Annotated[Path | None, Field(strict=False)] = None
    base_url: str | None = None
    api_key_env: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    generation: dict[str, Any] = Field(default_factory=dict)
    think_end: str | None = Field(default="</think>", min_length=1)
    max_concurrency: int = Field(default=16, ge=1)
    timeout_s: float = Field(default=120.0, gt=0, allow_inf_nan=False, strict=False)
    max_attempts: int = Field(default=6, ge=1)
    requests_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False, strict=False)
    tokens_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False, strict=False)
    price: ModelPrice | None = None  # before the limit, whose check reads it
    max_cost_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False, strict=False)
    cache: Annotated[Path | None, Field(strict=False)] = Path(".cache/llm.sqlite")
    backend: dict[str, Any] | None = None

    @field_validator("base_url")
    @classmethod
    def _usable_url(cls, url: str | None) -> str | None:
        if url is not None and (fault := url_fault(url)):
            raise ValueError(fault)
        return url

    @field_validator("generation")
    @classmethod
    def _only_parameters(cls, generation: dict[str, Any]) -> dict[str, Any]:
        if wrong := sorted(_NOT_PARAMETERS & generation.keys()):
            raise ValueError(f"{', '.join(wrong)} cannot be set here")
        return generation

    @field_validator("max_cost_usd")
    @classmethod
    def _known_price(cls, limit: float | None, others: ValidationInfo) -> float | None:
        model, price = others.data.get("model"), others.data.get("price")
        if limit is None or model is None:
            return limit
        price = price or price_of(model, {})
        if price is None:
            raise ValueError(
                f"the limit cannot be kept, because the price of {model} is not known (known are "
                f"{', '.join(prices())}): state it under `prices`, or leave the limit out"
            )
        if price.of_answer(1, 1) is None:
            raise ValueError(
                f"the limit cannot be kept, because the price of {model} does not tell what tokens "
                "cost: add tokens_per_second to it"
            )
        return limit

    @model_validator(mode="after")
    def _one_source(self) -> LlmSettings:
        given = [name for name in ("model", "replay", "backend") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of model, replay and backend is needed, not "
                f"{' and '.join(given) or 'none'}"
            )
        strays = [
            name
            for name, field in type(self).model_fields.items()
            if name in _OF_REQUESTS
            and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        if self.model is None and strays:
            raise ValueError(
                f"{strays[0]} goes with `model`, which slmroute asks itself, not with `{given[0]}`"
            )
        return self

    @property
    def name(self) -> str:
        """The name of the model in results."""
        if self.model is not None:
            return self.model
        if self.replay is not None:
            return self.replay.absolute().name
        return str((self.backend or {}).get("name", "plugin"))

    def cost_usd(self, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
        """Return the dollars of one answer; None if the price or a number of tokens is unknown.

        >>> LlmSettings(model="no-such-model").cost_usd(10, 10) is None
        True
        """
        price = self.price or price_of(self.name, {})
        return None if price is None else price.of_answer(prompt_tokens, completion_tokens)
