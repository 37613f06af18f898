"""Extracting the final answer from a reply, and deciding whether it is right."""

from slmroute_plugin.scoring.reference import Extracted, Reference, Rule
from slmroute_plugin.scoring.rule import Verdict, score
from slmroute_plugin.scoring.rules import rule

__all__ = ["Extracted", "Reference", "Rule", "Verdict", "rule", "score"]
