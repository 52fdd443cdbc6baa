"""From the values in a label picture to the numbers of the classes they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np

from textseg.errors import DatasetError


def numbers_of(values: np.ndarray, table: dict[int, int], name: str, show: Any) -> np.ndarray:
    """`values` (H, W) looked up in `table`; raises DatasetError, with the value put by `show`, for one not in it."""
    known = np.array(sorted(table), np.int64)
    numbers = np.array([table[int(value)] for value in known], np.int32)
    at = np.searchsorted(known, values).clip(max=len(known) - 1)
    wrong = known[at] != values
    if wrong.any():
        raise DatasetError(f"{name} holds {show(int(values[wrong][0]))}, which is not described anywhere.")
    return numbers[at]
