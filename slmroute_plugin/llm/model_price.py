"""The prices of models that a user states: by token, or by the hour of a machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from slmroute_plugin.llm.prices import prices
from slmroute_plugin.storage.yaml_file import YamlFileError, read_yaml
from slmroute_plugin.validation_message import validation_message

Number = TypeVar("Number", float, Any)
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_HOUR_S = 3600
_MILLION = 1e6


class PriceError(ValueError):
    """An error for a file of prices that cannot be used; its text names the file and the fix."""


class ModelPrice(BaseModel):
    """A price of a model: by token, or by the hour of the machine that runs it.

    Attributes:
        input_usd: The dollars per million prompt tokens.
        cached_usd: The dollars per million prompt tokens that a cache held; null for `input_usd`.
        output_usd: The dollars per million generated tokens, thinking included.
        gpu_hour_usd: The dollars per hour of the machine, in place of all three.
        tokens_per_second: The tokens, read and generated, that the machine works on in a second;
            null for the seconds that were measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_usd: Dollars | None = None
    cached_usd: Dollars | None = None
    output_usd: Dollars | None = None
    gpu_hour_usd: Dollars | None = None
    tokens_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> ModelPrice:
        by_token = self.input_usd is not None and self.output_usd is not None
        some_token = (self.input_usd, self.cached_usd, self.output_usd) != (None, None, None)
        if self.gpu_hour_usd is not None:
            if some_token:
                raise ValueError(
                    "gpu_hour_usd stands in place of prices by token: leave out either"
                )
        elif not by_token:
            raise ValueError("a price needs input_usd and output_usd, or gpu_hour_usd")
        elif self.tokens_per_second is not None:
            raise ValueError("tokens_per_second goes with gpu_hour_usd")
        return self

    def dollars(self, read: Number, cached: Number, generated: Number, seconds: Number) -> Number:
        """Return the dollars of some work; of several, if arrays are given.

        Args:
            read: The prompt tokens that were read.
            cached: The prompt tokens that a cache held.
            generated: The tokens that were generated.
            seconds: The seconds that were measured.

        >>> ModelPrice(input_usd=1, output_usd=2).dollars(500_000, 0, 250_000, 9.0)
        1.0
        >>> ModelPrice(gpu_hour_usd=2).dollars(500_000, 0, 250_000, 1800.0)
        1.0
        """
        if self.gpu_hour_usd is not None:
            if self.tokens_per_second is not None:
                seconds = (read + generated) / self.tokens_per_second
            return seconds * self.gpu_hour_usd / _HOUR_S
        of_cached = self.input_usd if self.cached_usd is None else self.cached_usd
        assert self.input_usd is not None
        assert self.output_usd is not None
        assert of_cached is not None
        spent = read * self.input_usd + cached * of_cached + generated * self.output_usd
        return spent / _MILLION

    def of_answer(self, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
        """Return the dollars of one answer by its tokens; None if they do not tell.

        They do not where a number is not known, or where the hours of a machine are paid at a pace
        that is not stated.

        >>> ModelPrice(input_usd=1, output_usd=2).of_answer(500_000, 250_000)
        1.0
        >>> ModelPrice(gpu_hour_usd=2).of_answer(10, 10) is None
        True
        """
        if prompt_tokens is None or completion_tokens is None:
            return None
        if self.gpu_hour_usd is not None and self.tokens_per_second is None:
            return None
        dollars: float = self.dollars(float(prompt_tokens), 0.0, float(completion_tokens), 0.0)
        return dollars


PriceList = Mapping[str, ModelPrice]
"""Prices by the name of the model, as lm-eval is given it or as its folder of results is called."""


def price_of(model: str, stated: PriceList) -> ModelPrice | None:
    """Return the price of a model: the one that is stated, or else the known one; None for neither.

    Args:
        model: The model's name, or that of its folder of results. A revision or a file of weights
            may follow it after "@"; the price need not name them.
        stated: The prices that a user states.
    """
    names = [folder_name(name) for name in (model, model.partition("@")[0])]
    by_name = {folder_name(name): price for name, price in stated.items()}
    for name in names:
        if name in by_name:
            return by_name[name]
    known = {folder_name(name): price for name, price in prices().items()}.get(names[-1])
    if known is None:
        return None
    return ModelPrice(input_usd=known.input_usd, output_usd=known.output_usd)


def folder_name(model: str) -> str:
    """Return how lm-eval calls the folder of a model's results.

    >>> folder_name("Qwen/Qwen3-0.6B")
    'Qwen__Qwen3-0.6B'
    """
    return re.sub(r'["<>:/\\|?*\[\]]+', "__", model)


def read_prices(path: Path) -> dict[str, ModelPrice]:
    """Read the prices of models from a YAML file: a mapping for each name.

    Raises:
        PriceError: If the file cannot be read, is not YAML, has a key twice, or holds no prices.
    """
    try:
        raw = read_yaml(path)
    except YamlFileError as error:
        raise PriceError(str(error)) from None
    if not isinstance(raw, dict) or not raw:
        raise PriceError(
            f"{path}: holds {raw!r}, not a price for each model, such as "
            "`gpt-4.1-mini: {input_usd: 0.4, output_usd: 1.6}`"
        )
    try:
        return TypeAdapter(dict[str, ModelPrice]).validate_python(raw)
    except ValidationError as error:
        faults = (
            f"{path}: {'.'.join(map(str, fault['loc']))}: "
            f"{validation_message(fault)}, not {fault['input']!r}"
            for fault in error.errors()
        )
        raise PriceError("\n".join(faults)) from None
