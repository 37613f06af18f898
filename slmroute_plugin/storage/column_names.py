"""How the names of those sample columns begin that each method has its own of.

The method's name follows: `confidence/perplexity`. `results/README.md` says what is in them.
"""

from __future__ import annotations

CONFIDENCE = "confidence/"
CORRECT = "acc/"
OWN_ANSWER = "answer/"
AUROC_PAIR = "auroc/"
FITTED_ON = "fitted_on/"
COMBINES = "combines/"
METHOD_WORK = "method_work/"
METHOD_COST = "method_cost_usd/"
