"""The scores that lm-polygraph and uqlm give, as golden numbers for the tests of our methods.

Each library wants an environment of its own, so the script runs three times: it makes the inputs
(log-probabilities, samples and similarities of made-up answers), and then adds each library's
scores of them to the same file.

    python benchmarks/reference_scores.py inputs
    <environment with lm-polygraph>/bin/python benchmarks/reference_scores.py lm_polygraph
    <environment with uqlm>/bin/python benchmarks/reference_scores.py uqlm

`tests/uq_plugins/test_reference_scores.py` holds our confidences to the scores; it says how each
confidence follows from the score.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "tests/uq_plugins/data/reference_scores.json"
CASES, SAMPLES, VOCABULARY = 24, 5, 40
# A final answer may be said in each of these ways, without any punctuation.
WORDINGS = ("{}", "the answer is {}", "so it must be {}", "I think it is {}.0", "it is {} in all")


def main() -> None:
    """Write the inputs, or the scores of a library."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("what", choices=["inputs", "lm_polygraph", "uqlm"])
    what = arguments.parse_args().what
    kept = {} if what == "inputs" else json.loads(FILE.read_text())
    if what == "inputs":
        kept["cases"] = inputs()
    elif what == "lm_polygraph":
        scores = [lm_polygraph_scores(case) for case in kept["cases"]]
        kept[what] = {"version": version("lm-polygraph"), "scores": scores}
    else:
        scores = [uqlm_scores(case) for case in kept["cases"]]
        kept[what] = {"version": version("uqlm"), "scores": scores}
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def inputs() -> list[dict[str, Any]]:
    """Make up answers: their distributions, samples, and which of those give the same answer."""
    chance = random.Random(0)
    cases = []
    for number in range(CASES):
        distributions = [_logprobs(chance) for _ in range(1 + number % 7)]
        finals = [chance.choice("123" if number % 3 else "1") for _ in range(1 + SAMPLES)]
        texts = [chance.choice(WORDINGS).format(final) for final in finals]
        cases.append(
            {
                "distributions": distributions,
                "answer": texts[0],
                "answer_tokens": [chance.randrange(VOCABULARY) for _ in distributions],
                "samples": texts[1:],
                "sample_logprobs": [
                    [round(-chance.expovariate(1.5), 6) for _ in range(chance.randint(1, 9))]
                    for _ in range(SAMPLES)
                ],
                "finals": finals,
            }
        )
    return cases


def _logprobs(chance: random.Random) -> list[float]:
    """Return the log-probabilities of a made-up distribution over a small vocabulary."""
    logits = [chance.gauss(0, 2.5) for _ in range(VOCABULARY)]
    total = math.log(sum(math.exp(logit) for logit in logits))
    return [logit - total for logit in logits]


def answer_logprobs(case: dict[str, Any]) -> list[float]:
    """Return the log-probability of each token of the answer."""
    pairs = zip(case["distributions"], case["answer_tokens"], strict=True)
    return [distribution[token] for distribution, token in pairs]


def same_answer(case: dict[str, Any]) -> list[list[float]]:
    """Return which samples give the same answer: 1.0 or 0.0, [samples, samples]."""
    finals = case["finals"][1:]
    return [[float(one == other) for other in finals] for one in finals]


def lm_polygraph_scores(case: dict[str, Any]) -> dict[str, float]:
    """Return the uncertainties of lm-polygraph's estimators."""
    import numpy as np
    from lm_polygraph.estimators.cocoa import CocoaMSP, CocoaPPL
    from lm_polygraph.estimators.deg_mat import DegMat
    from lm_polygraph.estimators.eccentricity import Eccentricity
    from lm_polygraph.estimators.eig_val_laplacian import EigValLaplacian
    from lm_polygraph.estimators.max_probability import MaximumSequenceProbability
    from lm_polygraph.estimators.perplexity import Perplexity
    from lm_polygraph.estimators.self_certainty import SelfCertainty
    from lm_polygraph.estimators.semantic_entropy import SemanticEntropy
    from lm_polygraph.estimators.token_entropy import MeanTokenEntropy

    finals = case["finals"]
    classes = [
        [i for i, f in enumerate(finals[1:]) if f == final] for final in sorted({*finals[1:]})
    ]
    where = {sample: number for number, group in enumerate(classes) for sample in group}
    entropies = [-sum(math.exp(p) * p for p in each) for each in case["distributions"]]
    stats: dict[str, Any] = {
        "greedy_log_likelihoods": [answer_logprobs(case)],
        "greedy_log_probs": [[np.array(each) for each in case["distributions"]]],
        "entropy": [entropies],
        "sample_texts": [case["samples"]],
        "sample_log_probs": [[sum(each) for each in case["sample_logprobs"]]],
        "semantic_classes_entail": {
            "class_to_sample": [classes],
            "sample_to_class": [[where[sample] for sample in range(SAMPLES)]],
        },
        "semantic_matrix_entail": np.array([same_answer(case)]),
        "greedy_sentence_similarity": [
            np.array([float(final == finals[0]) for final in finals[1:]])
        ],
    }
    estimators = {
        "MaximumSequenceProbability": MaximumSequenceProbability(),
        "Perplexity": Perplexity(),
        "MeanTokenEntropy": MeanTokenEntropy(),
        "SelfCertainty": SelfCertainty(),
        "SemanticEntropyEmpirical": SemanticEntropy(class_probability_estimation="frequency"),
        "CocoaMSP": CocoaMSP(),
        "CocoaPPL": CocoaPPL(),
        "DegMat_Jaccard": DegMat(similarity_score="Jaccard_score"),
        "EigValLaplacian_Jaccard": EigValLaplacian(similarity_score="Jaccard_score"),
        "EigValLaplacian_same": EigValLaplacian(),
        "Eccentricity_Jaccard": Eccentricity(similarity_score="Jaccard_score"),
        "Eccentricity_same": Eccentricity(),
    }
    return {name: float(each(stats)[0]) for name, each in estimators.items()}


def uqlm_scores(case: dict[str, Any]) -> dict[str, float]:
    """Return the confidences of uqlm's scorers, and its semantic entropy."""
    from uqlm.black_box.match import MatchScorer
    from uqlm.nli.entropy_utils import (
        compute_cluster_probabilities,
        compute_response_probabilities,
        compute_semantic_entropy,
    )
    from uqlm.white_box.single_logprobs import SingleLogprobsScorer
    from uqlm.white_box.top_logprobs import TopLogprobsScorer

    finals = case["finals"]
    tokens = [
        {
            "logprob": logprob,
            "top_logprobs": [{"logprob": p} for p in sorted(each, reverse=True)[:15]],
        }
        for logprob, each in zip(answer_logprobs(case), case["distributions"], strict=True)
    ]
    samples = [[{"logprob": p} for p in each] for each in case["sample_logprobs"]]
    classes = [
        [i for i, f in enumerate(finals[1:]) if f == final] for final in sorted({*finals[1:]})
    ]
    by_mass, by_number = compute_response_probabilities(samples, SAMPLES, length_normalize=False)
    single = SingleLogprobsScorer(length_normalize=False).evaluate([tokens])
    return {
        # Final answers in place of texts: whether two are the same is ours to say.
        "exact_match": MatchScorer().evaluate([finals[0]], [finals[1:]])[0],
        "min_probability": single["min_probability"][0],
        "sequence_probability": single["sequence_probability"][0],
        "normalised_probability": SingleLogprobsScorer().evaluate([tokens])["sequence_probability"][
            0
        ],
        "probability_margin": TopLogprobsScorer().evaluate([tokens])["probability_margin"][0],
        "semantic_entropy_by_mass": compute_semantic_entropy(
            compute_cluster_probabilities(by_mass, classes)
        ),
        "semantic_entropy_by_number": compute_semantic_entropy(
            compute_cluster_probabilities(by_number, classes)
        ),
    }


if __name__ == "__main__":
    main()
