"""The UQ method `ood_probe`: a probe trained on the answers to all other data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.trained_probe import TrainedProbe


@dataclass(frozen=True)
class OodProbe(TrainedProbe):
    """The MLP of `trained_probe`, trained on answers to all data sets but the data set at hand.

    Range [0, 1]. Source: Chuang et al. 2025 (arXiv 2502.04428): Adam, 20 epochs, learning
    rate 1e-4. The options are those of `TrainedProbe`.
    """

    name: ClassVar[str] = "ood_probe"
    trains_on: ClassVar[TrainsOn] = "out_of_domain"

    learning_rate: float = 1e-4
