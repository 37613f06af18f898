"""The paper's models, data sets, methods and figures, as its text and its captions give them.

Source: "Confident or Seek Stronger: Exploring Uncertainty-Based Small LM Routing": section 2.1 for
models, Tables 1 and 2 for data sets and methods, captions and Appendix C for figures. Where it
names no SLM for a panel, every SLM has a panel of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Model:
    """A model of the paper.

    Attributes:
        name: the name as figures show it.
        hub_names: names under which it is published, on the Hugging Face Hub or by its API, without
            the organisation; the usual name comes first.
    """

    name: str
    hub_names: tuple[str, ...]


class Kind(Enum):
    """What a panel shows."""

    ROUTING = "routing curves"
    RELATIVE_ACCURACY = "accuracy relative to the LLM"
    DISTRIBUTION = "distribution of confidence"
    AUROC = "AUROC"


SLMS = (
    Model("Llama-3.2-1B-Instruct", ("Llama-3.2-1B-Instruct",)),
    Model("Llama-3.2-3B-Instruct", ("Llama-3.2-3B-Instruct",)),
    Model("Phi-3.5-mini-instruct", ("Phi-3.5-mini-instruct",)),
    Model("Mistral-7B-Instruct-v0.3", ("Mistral-7B-Instruct-v0.3",)),
    Model("Qwen2.5-7B-Instruct", ("Qwen2.5-7B-Instruct",)),
    Model("Llama-3.1-8B-Instruct", ("Llama-3.1-8B-Instruct", "Meta-Llama-3.1-8B-Instruct")),
    Model("Granite-3.1-8B-Instruct", ("granite-3.1-8b-instruct",)),
    Model("Qwen3-0.6B", ("Qwen3-0.6B",)),
    Model("Qwen3-1.7B", ("Qwen3-1.7B",)),
    Model("Qwen3-4B", ("Qwen3-4B",)),
    Model("Phi-4-mini-reasoning", ("Phi-4-mini-reasoning",)),
    Model(
        "RWKV-7-2.9B",
        (
            "RWKV7-Goose-World3-2.9B-HF",
            "rwkv7-2.9B-world",
            "RWKV-x070-World-2.9B-v3",
            "RWKV-7-2.9B",
        ),
    ),
)
"""The twelve SLMs, in the order of section 2.1."""

LLMS = (
    Model("GPT-4.1 mini", ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14")),
    Model("DeepSeek-R1", ("DeepSeek-R1",)),
    Model("Llama-3.1-70B-Instruct", ("Llama-3.1-70B-Instruct", "Meta-Llama-3.1-70B-Instruct")),
    Model("Qwen3-32B", ("Qwen3-32B",)),
)
"""The four LLMs, in the order of figures 8 to 11."""

DATASETS = {
    "aqua": "AQuA",
    "boolq": "BoolQ",
    "coqa": "CoQA",
    "gsm8k": "GSM8K",
    "hellaswag": "HellaSwag",
    "mmlu": "MMLU",
    "multiarith": "MultiArith",
    "openbookqa": "OpenBookQA",
    "piqa": "PIQA",
    "social_iqa": "Social IQa",
    "svamp": "SVAMP",
    "commonsenseqa": "CommonsenseQA",
    "truthfulqa": "TruthfulQA",
    "winogrande": "WinoGrande",
    "math500": "MATH-500",
}
"""The name of each data set, by its task without "slmroute_", in the order of figures 4 to 7."""

METHODS = {
    "average_token_prob": "Average Token Prob",
    "p_true": "p(True)",
    "perplexity": "Perplexity",
    "jaccard_degree": "Jaccard Degree",
    "verbalization_1s": "Verbalization-1s",
    "verbalization_2s": "Verbalization-2s",
    "trained_probe": "Trained Probe",
    "ood_probe": "OOD Probe",
}
"""The name of each method, by its plugin, in the order of Table 2."""


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, or those of its panels that belong together.

    Attributes:
        number: the paper's number.
        kind: what its panels show.
        datasets: tasks without "slmroute_", in the order of the panels.
        letters: letters of its panels, where the figure has several parts.
        llm: name of the LLM that is routed to or compared with.
        slms: names of the SLMs.
        methods: names of the methods' plugins.
    """

    number: int
    kind: Kind
    datasets: tuple[str, ...]
    letters: str = ""
    llm: str | None = None
    slms: tuple[str, ...] = tuple(model.name for model in SLMS)
    methods: tuple[str, ...] = tuple(METHODS)

    @property
    def label(self) -> str:
        """The number as readers know it, such as "Figure 1 (a, b)"."""
        return f"Figure {self.number}" + (f" ({', '.join(self.letters)})" if self.letters else "")

    @property
    def file(self) -> str:
        """The beginning of its files' names, such as "figure_01_ab"."""
        return f"figure_{self.number:02}" + (f"_{self.letters}" if self.letters else "")


FIGURES = (
    Figure(1, Kind.ROUTING, ("commonsenseqa",), "ab", "DeepSeek-R1"),
    Figure(1, Kind.ROUTING, ("openbookqa",), "cd", "GPT-4.1 mini"),
    Figure(2, Kind.RELATIVE_ACCURACY, ("gsm8k",), "ab", "Llama-3.1-70B-Instruct"),
    Figure(2, Kind.RELATIVE_ACCURACY, ("boolq",), "cd", "Qwen3-32B"),
    Figure(
        3,
        Kind.DISTRIBUTION,
        tuple(DATASETS),
        "a",
        slms=("Phi-3.5-mini-instruct",),
        methods=("ood_probe",),
    ),
    Figure(
        3,
        Kind.DISTRIBUTION,
        tuple(DATASETS),
        "b",
        slms=("Llama-3.1-8B-Instruct",),
        methods=("perplexity",),
    ),
    Figure(4, Kind.AUROC, ("aqua", "boolq", "coqa")),
    Figure(5, Kind.AUROC, ("gsm8k", "hellaswag", "mmlu", "multiarith")),
    Figure(6, Kind.AUROC, ("openbookqa", "piqa", "social_iqa", "svamp")),
    # The heading above figure 7 names SVAMP as well, which is in figure 6 already.
    Figure(7, Kind.AUROC, ("commonsenseqa", "svamp", "truthfulqa", "winogrande", "math500")),
    Figure(8, Kind.ROUTING, tuple(DATASETS), llm="GPT-4.1 mini"),
    Figure(9, Kind.ROUTING, tuple(DATASETS), llm="DeepSeek-R1"),
    Figure(10, Kind.ROUTING, tuple(DATASETS), llm="Llama-3.1-70B-Instruct"),
    Figure(11, Kind.ROUTING, tuple(DATASETS), llm="Qwen3-32B"),
)
"""The paper's figures, in the order of their numbers."""
