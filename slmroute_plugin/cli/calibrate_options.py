"""The options of `slmroute calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ResultsFolder = Annotated[
    Path, typer.Argument(help="The folder of all results.", show_default=False)
]
SlmOption = Annotated[str, typer.Option(help="The small model: its folder's name in RESULTS.")]
MethodOption = Annotated[str, typer.Option("--method", "-m", help="Whose confidence decides.")]
LlmOption = Annotated[
    str | None,
    typer.Option(help="The LLM's folder in RESULTS. --accuracy, --budget-usd, --cpt need it."),
]
RatioOption = Annotated[
    float | None, typer.Option(help="At most this share of the questions goes to the LLM.")
]
AccuracyOption = Annotated[
    float | None,
    typer.Option(
        help="Overall accuracy after routing to --llm, with as few calls as it takes. With "
        "--guarantee it is the accuracy of the answers that are kept, as --kept-accuracy."
    ),
]
KeptAccuracyOption = Annotated[
    float | None,
    typer.Option(help="Accuracy among the SLM's answers that are kept; needs no LLM."),
]
BudgetUsdOption = Annotated[
    float | None, typer.Option(help="At most so many dollars for the LLM; see --questions.")
]
CptOption = Annotated[
    float | None,
    typer.Option(
        help="Share of the way from the SLM's accuracy to the LLM's, 0.8 for instance, with as "
        "few calls as it takes (call-performance threshold)."
    ),
]
GuaranteeOption = Annotated[
    float | None,
    typer.Option(
        help="Probability with which --ratio, or the accuracy of kept answers, has to hold on "
        "new questions of the same kind: 0.95, for instance. Default: it holds on the saved "
        "answers, and may not on new ones."
    ),
]
QuestionsOption = Annotated[
    int | None,
    typer.Option(help="How many questions --budget-usd is for; default: as many as saved."),
]
PricesOption = Annotated[
    Path | None,
    typer.Option(
        help="YAML file with the price of each model: a budget then counts the small model and "
        "the method too."
    ),
]
TasksOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Only these tasks, with commas between; default: all. Each question counts once."
    ),
]
SeedOption = Annotated[
    int, typer.Option(min=0, help="Seed of the split behind a guaranteed accuracy.")
]
PerTaskOption = Annotated[
    bool,
    typer.Option(
        "--per-task",
        help="Let --guarantee hold on every task at once, not on their mixture alone.",
    ),
]
PlanOption = Annotated[
    bool,
    typer.Option(
        "--plan",
        help="Say how many answers the promise of --guarantee needs, judged by those saved, "
        "and write nothing.",
    ),
]
ProbabilityOption = Annotated[
    bool,
    typer.Option(
        "--probability",
        help="In place of a goal: fit a map from confidence to the probability of being right, "
        "and say how far off confidences are before and after it.",
    ),
]
AtLeastOption = Annotated[
    float | None,
    typer.Option(
        help="With --probability: write the threshold too that keeps answers with this "
        "probability of being right, or more."
    ),
]
SplitOption = Annotated[
    float | None,
    typer.Option(
        help="With --probability: the share of the evaluation rows to learn from, where "
        "training rows have no confidences; the map is judged on the others. Default: 0.5."
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "--output",
        help="The file to write; default: RESULTS/SLM/thresholds/METHOD.GOAL.json, or "
        "RESULTS/SLM/probabilities/METHOD.json, with the tasks of --tasks in the name. With it, "
        "the threshold of --at-least lies beside the map.",
        show_default=False,
    ),
]
