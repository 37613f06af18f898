"""Made-up tables of a small and a large study, and their figures."""

from __future__ import annotations

import pytest
from made_tables import LLMS, METHODS, SLMS, made_tables
from readable_figures import Drawings, drawn

from slmroute_plugin.analysis.tables.tables import Tables


@pytest.fixture(scope="session")
def small() -> Tables:
    """One SLM, two data sets without a group, six methods, one LLM."""
    without_probes = [method for method in METHODS if "probe" not in method]
    return made_tables(SLMS[:1], ("demo_arithmetic", "demo_mmlu"), without_probes, LLMS[1:2])


@pytest.fixture(scope="session")
def few(small: Tables) -> Drawings:
    """The figures of the small study."""
    return drawn(small)


@pytest.fixture(scope="session")
def large() -> Tables:
    """Fifteen data sets, eight methods, two SLMs and two LLMs."""
    slms = ("Qwen__Qwen2.5-0.5B-Instruct", "meta-llama__Llama-3.2-1B-Instruct")
    return made_tables(slms=slms, llms=("gpt-4.1-mini", "deepseek-ai__DeepSeek-R1"))


@pytest.fixture(scope="session")
def many(large: Tables) -> Drawings:
    """The figures of the large study."""
    return drawn(large)
