"""The UQ method `combined_ood`: `combined`, trained on the answers to all other data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.combined import Combined


@dataclass(frozen=True)
class CombinedOod(Combined):
    """The regression of `combined`, trained on answers to all data sets but the data set at hand.

    Range [0, 1]. The options are those of `Combined`.
    """

    name: ClassVar[str] = "combined_ood"
    trains_on: ClassVar[TrainsOn] = "out_of_domain"
