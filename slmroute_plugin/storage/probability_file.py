"""The file of a map from confidence to the probability that the answer is right: JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ProbabilityFile(BaseModel):
    """A map from confidence to probability, as `slmroute calibrate --probability` writes it.

    Attributes:
        method: The UQ method whose confidences are mapped.
        slm: The small model whose answers they are about.
        kind: "platt": σ(slope · log(c / (1 − c)) + bias), with c kept 10⁻⁶ away from 0 and 1; or
            "isotonic": straight between the corners, and constant beyond them.
        rows: The number n of rows that it was fitted on. Probabilities are kept within
            [1 / (n + 2), (n + 1) / (n + 2)].
        slope: The slope, for "platt".
        bias: The bias, for "platt".
        corners: Confidence and probability of each corner, for "isotonic".
        provenance: The runs, rows, date, version, cross-validated log-losses, and the errors on
            rows that the map was not fitted on.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    method: str
    slm: str
    kind: Literal["platt", "isotonic"]
    rows: int = Field(ge=1)
    slope: float = Field(default=0.0, ge=0)
    bias: float = 0.0
    corners: list[tuple[float, float]] = Field(default_factory=list)
    provenance: dict[str, Any] = Field(default_factory=dict)
