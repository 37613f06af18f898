"""The UQ methods that come with slmroute, offered through the hook that other packages use."""

from __future__ import annotations

from slmroute_plugin import hookimpl
from slmroute_plugin.methods.protocol import AnyMethod
from uq_plugins.agreement_and_stated import AgreementAndStated
from uq_plugins.answer_agreement import AnswerAgreement
from uq_plugins.average_token_prob import AverageTokenProb
from uq_plugins.cocoa import Cocoa
from uq_plugins.combined import Combined
from uq_plugins.combined_ood import CombinedOod
from uq_plugins.eccentricity import Eccentricity
from uq_plugins.eig_val_laplacian import EigValLaplacian
from uq_plugins.jaccard_degree import JaccardDegree
from uq_plugins.logprob_margin import LogprobMargin
from uq_plugins.min_token_prob import MinTokenProb
from uq_plugins.ood_probe import OodProbe
from uq_plugins.p_ik import PIk
from uq_plugins.p_true import PTrue
from uq_plugins.perplexity import Perplexity
from uq_plugins.probability_margin import ProbabilityMargin
from uq_plugins.probe_dirichlet import ProbeDirichlet
from uq_plugins.prompt_knn import PromptKnn, PromptKnnOod
from uq_plugins.prompt_logistic import PromptLogistic, PromptLogisticOod
from uq_plugins.question_length import QuestionLength, QuestionLengthOod
from uq_plugins.self_certainty import SelfCertainty
from uq_plugins.semantic_entropy import SemanticEntropy
from uq_plugins.sequence_prob import SequenceProb
from uq_plugins.token_entropy import TokenEntropy
from uq_plugins.trained_probe import TrainedProbe
from uq_plugins.verbalization_1s import Verbalization1S
from uq_plugins.verbalization_2s import Verbalization2S

__all__ = [
    "AgreementAndStated",
    "AnswerAgreement",
    "AverageTokenProb",
    "Cocoa",
    "Combined",
    "CombinedOod",
    "Eccentricity",
    "EigValLaplacian",
    "JaccardDegree",
    "LogprobMargin",
    "MinTokenProb",
    "OodProbe",
    "PIk",
    "PTrue",
    "Perplexity",
    "ProbabilityMargin",
    "ProbeDirichlet",
    "PromptKnn",
    "PromptKnnOod",
    "PromptLogistic",
    "PromptLogisticOod",
    "QuestionLength",
    "QuestionLengthOod",
    "SelfCertainty",
    "SemanticEntropy",
    "SequenceProb",
    "TokenEntropy",
    "TrainedProbe",
    "Verbalization1S",
    "Verbalization2S",
    "slmroute_methods",
]


@hookimpl
def slmroute_methods() -> tuple[AnyMethod, ...]:
    """Offer the methods with their default prompts and numbers."""
    return (
        AverageTokenProb(),
        Perplexity(),
        PTrue(),
        Verbalization1S(),
        Verbalization2S(),
        JaccardDegree(),
        TrainedProbe(),
        OodProbe(),
        ProbeDirichlet(),
        AnswerAgreement(),
        AgreementAndStated(),
        SequenceProb(),
        MinTokenProb(),
        TokenEntropy(),
        ProbabilityMargin(),
        LogprobMargin(),
        SelfCertainty(),
        SemanticEntropy(),
        Cocoa(),
        EigValLaplacian(),
        Eccentricity(),
        Combined(),
        CombinedOod(),
        PIk(),
        PromptKnn(),
        PromptKnnOod(),
        PromptLogistic(),
        PromptLogisticOod(),
        QuestionLength(),
        QuestionLengthOod(),
    )
