"""Our confidences are the scores of lm-polygraph and uqlm, after a map of sign and scale.

`benchmarks/reference_scores.py` made the inputs and the scores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_scores import answer_logprobs
from sampled_answers import observed, sample

from slmroute_plugin import VocabularyStatistics
from uq_plugins import (
    AnswerAgreement,
    Cocoa,
    Eccentricity,
    EigValLaplacian,
    JaccardDegree,
    MinTokenProb,
    Perplexity,
    ProbabilityMargin,
    SelfCertainty,
    SemanticEntropy,
    SequenceProb,
    TokenEntropy,
)

KEPT = json.loads((Path(__file__).parent / "data" / "reference_scores.json").read_text())
M = 5

# For each score: our method, and the confidence that follows from the score.
LM_POLYGRAPH: Mapping[str, tuple[Any, Callable[[float], float]]] = {
    "MaximumSequenceProbability": (SequenceProb(), lambda u: exp(-u)),
    "Perplexity": (Perplexity(), lambda u: exp(-u)),
    "MeanTokenEntropy": (TokenEntropy(), lambda u: exp(-u)),
    # It is the negative of the mean divergence.
    "SelfCertainty": (SelfCertainty(), lambda u: -u / (1 - u)),
    "SemanticEntropyEmpirical": (SemanticEntropy(weights="frequency"), lambda u: 1 - u / log(M)),
    "CocoaMSP": (Cocoa(probability="sequence_prob"), lambda u: exp(-u)),
    "CocoaPPL": (Cocoa(), lambda u: exp(-u)),
    "DegMat_Jaccard": (JaccardDegree(), lambda u: 1 - u),
    "EigValLaplacian_Jaccard": (EigValLaplacian(), lambda u: (M - u) / (M - 1)),
    "EigValLaplacian_same": (EigValLaplacian(similarity="answers"), lambda u: (M - u) / (M - 1)),
    "Eccentricity_Jaccard": (Eccentricity(), lambda u: 1 - u / sqrt(M - 1)),
    "Eccentricity_same": (Eccentricity(similarity="answers"), lambda u: 1 - u / sqrt(M - 1)),
}
UQLM: Mapping[str, tuple[Any, Callable[[float], float]]] = {
    "exact_match": (AnswerAgreement(), lambda c: c),
    "min_probability": (MinTokenProb(), lambda c: c),
    "sequence_probability": (SequenceProb(), lambda c: c),
    "normalised_probability": (Perplexity(), lambda c: c),
    "probability_margin": (ProbabilityMargin(), lambda c: c),
    "semantic_entropy_by_mass": (SemanticEntropy(), lambda u: 1 - u / log(M)),
    "semantic_entropy_by_number": (
        SemanticEntropy(weights="frequency"),
        lambda u: 1 - u / log(M),
    ),
}
PAIRS = [
    *(("lm_polygraph", score, *how) for score, how in LM_POLYGRAPH.items()),
    *(("uqlm", score, *how) for score, how in UQLM.items()),
]


def confidence(method: Any, case: Mapping[str, Any]) -> float:
    """Our confidence in a made-up answer."""
    logprobs = np.array(case["distributions"])
    chances = np.sort(np.exp(logprobs))
    told = VocabularyStatistics(
        entropy=tuple(-(np.exp(logprobs) * logprobs).sum(axis=1)),
        first=tuple(chances[:, -1]),
        second=tuple(chances[:, -2]),
        mean_logprob=tuple(logprobs.mean(axis=1)),
        possible=(logprobs.shape[1],) * len(logprobs),
    )
    samples = [
        sample(text, *each)
        for text, each in zip(case["samples"], case["sample_logprobs"], strict=True)
    ]
    seen = observed(
        method,
        case["answer"],
        samples,
        logprobs=answer_logprobs(dict(case)),
        scoring="number",
        TokenStatistics=told,
    )
    return float(method.confidence(seen))


@pytest.mark.parametrize(("library", "score", "method", "follows"), PAIRS)
def test_the_confidence_follows_from_the_score(
    library: str, score: str, method: Any, follows: Callable[[float], float]
) -> None:
    theirs = [follows(scores[score]) for scores in KEPT[library]["scores"]]
    ours = [confidence(method, case) for case in KEPT["cases"]]
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert len({round(value, 6) for value in ours}) > 2
