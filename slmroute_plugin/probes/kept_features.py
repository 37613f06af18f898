"""Which trained methods a model's folder of results has features for."""

from __future__ import annotations

from pathlib import Path

from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.probes.confidence_features import has_confidences
from slmroute_plugin.probes.files import FOLDER
from slmroute_plugin.signals import Confidences
from slmroute_plugin.storage.hidden_states import FOLDERS, read_source
from slmroute_plugin.storage.questions import known_questions_path
from slmroute_plugin.storage.sample_files import newest_sample_files


def has_features(
    folder: Path, name: str, method: TrainedMethod, fits: bool, cross_fits: bool
) -> bool:
    """Tell whether a trained method has features in a model's folder of results.

    Hidden states and words are there if they were kept; a method that is fitted may read others
    than its options say. For confidences: to use the method it has to be fitted; to fit it,
    training rows must have confidences, unless evaluation rows are fitted on.

    Args:
        folder: The model's folder of results.
        name: The name of the method.
        method: The method.
        fits: Whether the method is to be fitted, rather than used.
        cross_fits: Whether evaluation rows are to be fitted on by the user's wish.
    """
    kind = type(method.asks[0])
    if not fits and any((folder / FOLDER).glob(f"*.{name}.safetensors")):
        return True
    if not issubclass(kind, Confidences):
        return (folder / FOLDERS[kind]).is_dir()
    if not fits:
        return False
    return cross_fits or any(
        _is_training(folder, task) and has_confidences(path)
        for task, path in newest_sample_files(folder).items()
    )


def _is_training(folder: Path, task: str) -> bool:
    """Tell whether a task's rows are there to be learned from."""
    path = known_questions_path(folder, task)
    try:
        return path is not None and read_source(path).rows == "training"
    except ValueError:  # whoever reads the rows says so
        return False
