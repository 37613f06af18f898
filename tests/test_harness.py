"""What slmroute takes from lm-eval is there, in the version that is installed."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

import pytest

from slmroute_plugin import harness


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in harness.NAMES.items() for name in names],
)
def test_each_name_is_where_lm_eval_has_it(module: str, name: str) -> None:
    assert getattr(harness, name) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    "module",
    [
        *(harness.API_MODELS, harness.HUGGING_FACE_MODELS),
        *(harness.OPENAI_MODELS, harness.VLLM_MODELS),
    ],
)
def test_modules_of_models_are_there(module: str) -> None:
    assert find_spec(module) is not None


def test_a_name_that_is_not_taken_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'simple_evaluate'"):
        _ = harness.simple_evaluate
