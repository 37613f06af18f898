"""The scoring of replies: which final answer a reply gives, and whether that is right."""

from slmroute_plugin.scoring.rule import Extracted, Reference, Rule, Verdict, score
from slmroute_plugin.scoring.rules import rule

__all__ = ["Extracted", "Reference", "Rule", "Verdict", "rule", "score"]
