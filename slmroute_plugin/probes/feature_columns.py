"""The features that a probe is fitted on: hidden states as they are, or confidences by method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.probes.families import Family
from slmroute_plugin.probes.row_selection import CannotFit, FittingRows
from slmroute_plugin.signals import Confidences, HiddenState
from slmroute_plugin.storage.hidden_states import AnyFeature, layer_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Inputs(NamedTuple):
    """The features that a probe is fitted on.

    Attributes:
        signal: The feature; of confidences, with the names of the methods.
        pool: The features of all rows of the tasks, [N, …].
    """

    signal: AnyFeature
    pool: NDArray[np.floating[Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the methods whose confidences the features are; empty for hidden states."""
        return self.signal.methods if isinstance(self.signal, Confidences) else ()


def inputs_of(asked: AnyFeature, rows: FittingRows, family: Family) -> Inputs:
    """Choose the features for a probe.

    Of confidences, those of a method are a feature if the method is asked for, if it has any
    among the rows to fit on, and if it has any among the evaluation rows, unless none were saved.

    Args:
        asked: The feature that the trained method asks for.
        rows: The rows to fit on.
        family: The data set that the probe is for.

    Raises:
        CannotFit: No confidences are left.
    """
    import numpy as np

    kept, pool = rows.tasks[0].signal, rows.tasks[0].pool
    if isinstance(kept, HiddenState) and isinstance(asked, HiddenState):
        return _of_layer(kept, asked, pool)
    if not isinstance(kept, Confidences):
        return Inputs(kept, pool)
    known = np.zeros(len(kept.methods), dtype=bool)
    for task, chosen in zip(rows.tasks, rows.chosen, strict=True):
        known |= ~np.isnan(task.hidden[chosen]).all(axis=0)
    if family.evaluation:
        judged = [~np.isnan(task.hidden).all(axis=0) for task in family.evaluation]
        known &= np.any(judged, axis=0)
    wanted = asked.methods if isinstance(asked, Confidences) else ()
    names = tuple(
        name
        for name, is_known in zip(kept.methods, known, strict=True)
        if is_known and (not wanted or name in wanted)
    )
    if not names:
        asked_for = f" of {', '.join(wanted)}" if wanted else ""
        raise CannotFit(
            f"no confidences{asked_for} that training and evaluation rows have in common: name "
            "untrained methods in the `uq` of both runs"
        )
    columns = [kept.methods.index(name) for name in names]
    return Inputs(Confidences(names), pool[:, columns])


def _of_layer(kept: HiddenState, asked: HiddenState, pool: NDArray[np.floating[Any]]) -> Inputs:
    """Choose the layer that a probe reads, without a copy.

    Raises:
        CannotFit: It was not kept.
    """
    try:
        place = layer_of(kept, asked)
    except ValueError as error:
        raise CannotFit(str(error)) from None
    if place is None:
        return Inputs(kept, pool)
    return Inputs(HiddenState(kept.layers[place], kept.position), pool[:, place])
