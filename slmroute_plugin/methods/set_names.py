"""The names of the sets of UQ methods, which no method may have."""

from __future__ import annotations

from typing import Literal, get_args

MethodSet = Literal["auto", "all", "none", "paper", "free", "prompt"]
METHOD_SETS: tuple[MethodSet, ...] = get_args(MethodSet)
