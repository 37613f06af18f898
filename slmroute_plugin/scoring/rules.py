"""The scoring rules by name, as a task's settings give them."""

from __future__ import annotations

from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.scoring.boolean import BooleanRule
from slmroute_plugin.scoring.choice import ChoiceRule
from slmroute_plugin.scoring.match import MatchRule
from slmroute_plugin.scoring.math_expression import MathRule
from slmroute_plugin.scoring.number import NumberRule
from slmroute_plugin.scoring.rouge import RougeRule
from slmroute_plugin.scoring.rule import Rule


def rule(name: str) -> Rule:
    """Return the rule of that name.

    Raises:
        ValueError: If no rule has it; names the value, the nearest rule and all of them.
    """
    rules: dict[str, type[Rule]] = {
        known.name: known
        for known in (ChoiceRule, BooleanRule, NumberRule, MathRule, MatchRule, RougeRule)
    }
    if name not in rules:
        known = f"Known: {', '.join(sorted(rules))}."
        hint = did_you_mean(name, rules)
        hint = known if hint == known else f"{hint} {known}"
        raise ValueError(f"Unknown scoring rule {name!r}. {hint}")
    return rules[name]()
