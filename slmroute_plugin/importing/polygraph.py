"""The manager that lm-polygraph saves, read as columns without running what is in the file.

It is a pickled mapping: `estimations` and `gen_metrics` hold a list of numbers by level and name,
`stats` a list of values by name (`UEManager.save` of lm-polygraph 0.7.0).
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmroute_plugin.importing.faults import ImportFault

_LEVEL = "sequence"
# What rebuilds numbers and arrays, as numpy 2 and numpy 1 write them.
_NUMPY = {
    "numpy": ("dtype", "ndarray"),
    "numpy._core.multiarray": ("scalar", "_reconstruct"),
    "numpy.core.multiarray": ("scalar", "_reconstruct"),
}


def polygraph_columns(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a saved manager, all of one length.

    A column is called as lm-polygraph calls the estimator, the metric or the statistic.
    Estimates about parts of answers (claims, tokens) are left out.

    Raises:
        ImportFault: If the file is not a saved manager, or holds anything but plain values.
    """
    saved = _loaded(path)
    if not isinstance(saved, Mapping) or not isinstance(saved.get("estimations"), Mapping):
        raise ImportFault(f"{path}: it is not a manager that lm-polygraph saved.")
    columns: dict[str, list[Any]] = {}
    for part in ("estimations", "gen_metrics"):
        for (level, name), values in (saved.get(part) or {}).items():
            if level == _LEVEL:
                columns[str(name)] = list(values)
    if not columns:
        raise ImportFault(f"{path}: it holds no estimates of whole answers.")
    count = len(next(iter(columns.values())))
    for name, values in columns.items():
        if len(values) != count:
            raise ImportFault(
                f"{path}: {name!r} has {len(values)} values, but {next(iter(columns))!r} has "
                f"{count}: an estimator failed while lm-polygraph ran."
            )
    for name, values in (saved.get("stats") or {}).items():
        if hasattr(values, "__len__") and len(values) == count:
            columns.setdefault(str(name), [_plain(value) for value in values])
    return columns


def _plain(value: Any) -> Any:
    """Return a value of numpy, or a list of them, as Python's own."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _loaded(path: Path) -> Any:
    """Read the pickled mapping out of torch's archive.

    Raises:
        ImportFault: If there is none, or if reading it would take more than plain values.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(each for each in archive.namelist() if each.endswith("/data.pkl"))
            if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
                raise ImportFault(f"{path}: it is compressed, as torch saves no file.")
            return _PlainValues(io.BytesIO(archive.read(name))).load()
    except _NotPlain as error:
        raise ImportFault(
            f"{path}: it holds more than numbers and texts ({error}), and reading that would run "
            "code. Save the manager without such statistics."
        ) from None
    except (zipfile.BadZipFile, StopIteration):
        raise ImportFault(f"{path}: it is not a manager that lm-polygraph saved.") from None
    except Exception as error:  # a damaged pickle may raise anything
        if isinstance(error, ImportFault | OSError):
            raise
        raise ImportFault(f"{path}: it is damaged ({type(error).__name__}: {error}).") from None


class _NotPlain(pickle.UnpicklingError):
    """An error for a pickle that names more than plain values; its text says what."""


def _bytes_of(text: str, encoding: str) -> bytes:
    """Return the bytes that a pickle writes as a text.

    Raises:
        _NotPlain: If they are written in another way.
    """
    if encoding != "latin1":
        raise _NotPlain(f"the encoding {encoding}")
    return text.encode("latin1")


class _PlainValues(pickle.Unpickler):
    """An unpickler that makes nothing but mappings, lists, numbers, texts and arrays of numpy."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class or function that a pickle names, if it makes plain values.

        Raises:
            _NotPlain: If it does not.
        """
        known: dict[tuple[str, str], Any] = {
            ("collections", "defaultdict"): defaultdict,
            ("builtins", "list"): list,
            ("__builtin__", "list"): list,
            ("_codecs", "encode"): _bytes_of,
        }
        if module in _NUMPY and name in _NUMPY[module]:
            return super().find_class(module, name)
        if (module, name) not in known:
            raise _NotPlain(f"{module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what torch keeps beside the pickle.

        Raises:
            _NotPlain: Always.
        """
        raise _NotPlain("tensors")
