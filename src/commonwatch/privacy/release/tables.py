"""Counting bounded onsets into integer marginal tables, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from commonwatch.errors import InvalidInput
from commonwatch.privacy.release.axes import Axis, Levels, shape
from commonwatch.privacy.release.bounds import Onset

Ints = npt.NDArray[np.int64]


def coded(axes: Sequence[Axis], family: int | None, counted: Sequence[Onset]) -> Ints:
    """One row of codes per counted onset, in the order of the axes: day first, family in its place, then its cell."""
    rows = []
    for onset in counted:
        row = [onset.day, *onset.cell]
        if family is not None:
            row.insert(family, onset.family)
        rows.append(row)
    codes = np.array(rows, np.int64).reshape(len(rows), len(axes)) if rows else np.empty((0, len(axes)), np.int64)
    sizes = np.array([axis.size for axis in axes])
    if codes.size and ((codes < 0) | (codes >= sizes)).any():
        todo = "count only values of the plan's public lists; what is not in them is `other`"
        raise InvalidInput("a code lies outside its axis", where="codes", todo=todo)
    return codes


def table(axes: Sequence[Axis], levels: Levels, codes: Ints) -> Ints:
    """How many rows fall in each cell of the table at these levels."""
    form = shape(axes, levels)
    blocks = np.array([axis.blocks[level] for axis, level in zip(axes, levels, strict=True)], np.int64)
    places = np.ravel_multi_index(tuple((codes // blocks).T), form) if len(codes) else np.empty(0, np.int64)
    return np.bincount(places, minlength=int(np.prod(form))).reshape(form).astype(np.int64)
