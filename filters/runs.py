"""Runs of equal rows in ordered columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Runs(NamedTuple):
    """Where each run begins, and how many rows it has."""

    heads: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def runs_of(*columns: npt.NDArray[Any]) -> Runs:
    """The runs of rows that are equal in all columns; these have one length, and equal rows stand together."""
    count = len(columns[0])
    begins = np.zeros(count, np.bool_)
    begins[:1] = True
    for column in columns:
        begins[1:] |= column[1:] != column[:-1]
    heads = np.flatnonzero(begins)
    return Runs(heads, np.diff(np.append(heads, count)))
