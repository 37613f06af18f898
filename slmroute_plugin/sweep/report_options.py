"""What a sweep's manifest states for the report, read without all that runs a sweep."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from slmroute_plugin.llm.model_price import ModelPrice

MANIFEST = "manifest.json"


class ManifestError(ValueError):
    """An error for a manifest that cannot be used; its text names the file and the fix."""


class ReportOptions(BaseModel):
    """The options of `slmroute report` that a sweep states for its results.

    Attributes:
        llms: the folders of those small models that others are routed to.
        prices: the price of a model, by the name that the grid gives it.
    """

    llms: list[str] = Field(default_factory=list)
    prices: dict[str, ModelPrice] = Field(default_factory=dict)


class _Read(BaseModel):
    report: ReportOptions = Field(default_factory=ReportOptions)


def report_options(results: Path) -> ReportOptions:
    """Read what the sweep that made a folder of results states for its report, if a sweep did.

    Raises:
        ManifestError: the manifest cannot be read, or states no such options.
    """
    path = results / MANIFEST
    if not path.is_file():
        return ReportOptions()
    try:
        return _Read.model_validate_json(path.read_bytes()).report
    except (OSError, ValidationError) as error:
        raise ManifestError(
            f"{path}: cannot be used ({error}). Mend its `report`, or move the file away."
        ) from None
