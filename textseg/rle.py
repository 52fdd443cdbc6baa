"""COCO run-length codes: made from masks, and read without trusting them.

pycocotools reads past the end of a forged code, so nothing that comes from outside reaches it: runs are unpacked and
checked here before a pixel is painted.

>>> code = encode(np.array([[False, True], [False, True]]))
>>> code["size"], decode(code).sum()
([2, 2], np.int64(2))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from textseg.errors import DatasetError, brief

MAX_PIXELS = 2**31
"""Of a mask whose size comes with its code."""


def encode(mask: np.ndarray) -> dict[str, Any]:
    """COCO RLE of an (H, W) bool mask; `counts` is text, fit for JSON."""
    from pycocotools import mask as coco

    rle = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}


def iou(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Intersection over union of two masks of one photo; their codes are our own."""
    from pycocotools import mask as coco

    return float(coco.iou([dict(one)], [dict(other)], [False])[0, 0])


def decode(code: Any, size: tuple[int, int] | None = None, where: str = "The mask") -> np.ndarray:
    """The (H, W) bool mask of a COCO RLE, of a photo of `size` (width, height) if given; raises DatasetError."""
    lengths = runs(code, size, where)
    height, width = code["size"]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(int(width), int(height)).T


def runs(code: Any, size: tuple[int, int] | None, where: str) -> np.ndarray:
    """The run lengths (zeros first, down the columns) of an RLE for a photo of `size` (width, height).

    `counts` may be a list or COCO's text form. Raises DatasetError, whose sentence begins with `where`, when the size
    is another one, or when the runs are not those of exactly that many pixels.
    """
    if not isinstance(code, Mapping):
        raise DatasetError(f"{where} is {brief(code)} and must be an object.")
    height, width = _size(code.get("size"), where)
    if size is not None and (width, height) != tuple(size):
        raise DatasetError(f"{where}.size is {[height, width]} but the photo is {[size[1], size[0]]} (height, width).")
    counts = code.get("counts")
    if isinstance(counts, str):
        lengths = _unpack(counts, where)
    elif isinstance(counts, list) and all(type(n) is int and abs(n) < 2**40 for n in counts):
        lengths = np.array(counts, np.int64)
    else:
        raise DatasetError(f"{where}.counts is {brief(counts)} and must be text or a list of whole numbers.")
    if lengths.min(initial=0) < 0:
        raise DatasetError(f"{where}.counts has the negative run {int(lengths.min())}.")
    total = int(lengths.sum())
    if total != width * height:
        way = "overruns" if total > width * height else "falls short of"
        raise DatasetError(f"{where}.counts {way} the photo: {total:,} pixels instead of {width * height:,}.")
    return lengths


def _size(given: Any, where: str) -> tuple[int, int]:
    numbers = given if isinstance(given, (list, tuple)) else []
    if len(numbers) != 2 or not all(type(n) is int and n > 0 for n in numbers) or numbers[0] * numbers[1] > MAX_PIXELS:
        raise DatasetError(f"{where}.size is {brief(given)} and must be two whole numbers, height and width.")
    return numbers[0], numbers[1]


def pack(counts: list[int], size: tuple[int, int]) -> dict[str, Any]:
    """The RLE with these run lengths (zeros first) of a mask of `size` (height, width); `counts` becomes text."""
    from pycocotools import mask as coco

    height, width = size
    code = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": code["counts"].decode("ascii")}


def sample(code: Mapping[str, Any], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(len(rows), len(columns)) bool: the mask at those pixel rows and columns. Time does not grow with the photo."""
    positions = columns[None, :] * code["size"][0] + rows[:, None]
    return np.searchsorted(_toggles(code), positions, side="right") % 2 == 1


def area(code: Mapping[str, Any]) -> int:
    """Pixels in the mask."""
    return int(_unpack(code["counts"], "The mask")[1::2].sum())


def bbox(code: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """(left, top, width, height) of the smallest box around the mask, as in COCO; all 0 for an empty mask."""
    height, width = code["size"]
    toggles = _toggles(code)
    starts, ends = toggles[0::2], np.append(toggles[1::2], height * width)[: (len(toggles) + 1) // 2]
    starts, last = starts[ends > starts], ends[ends > starts] - 1
    if not len(starts):
        return 0, 0, 0, 0
    left, right = int(starts[0]) // height, int(last[-1]) // height + 1
    if (starts // height != last // height).any():  # a run that goes on in the next column touches both edges
        top, bottom = 0, height
    else:
        top, bottom = int((starts % height).min()), int((last % height).max()) + 1
    return left, top, right - left, bottom - top


def paint(flat: np.ndarray, lengths: np.ndarray, value: int) -> int:
    """Write `value` over the ones of the code into a column-major map; returns how many other labels it covers."""
    if len(lengths) < 2:
        return 0
    spans = lengths[1 : len(lengths) // 2 * 2]  # from the first one to the last
    mask = np.repeat(np.arange(len(spans)) % 2 == 0, spans)
    under = flat[lengths[0] : lengths[0] + len(mask)]
    covered = int(np.count_nonzero(mask & (under != 0) & (under != value)))
    under[mask] = value
    return covered


def _toggles(code: Mapping[str, Any]) -> np.ndarray:
    """The positions x * H + y where the mask changes between out and in."""
    return np.cumsum(_unpack(code["counts"], "The mask"))[:-1]


def _unpack(text: str, where: str) -> np.ndarray:
    """COCO's text form: 5 bits a character from "0" on, bit 6 continues, runs from the fourth less the one two back.

    (pycocotools, common/maskApi.c, rleFrString.)
    """
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        codes = np.array([-1])
    if not len(codes):
        return np.zeros(0, np.int64)
    last = (codes & 0x20) == 0
    if codes.min() < 0 or codes.max() > 63 or not last[-1]:
        raise DatasetError(f"{where}.counts is {brief(text)}, which is not a COCO run-length code.")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 8:
        raise DatasetError(f"{where}.counts holds a run that no photo has.")
    places = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F) << (5 * places), starts)
    negative = (codes[ends] & 0x10) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * lengths)), values)
    values[1::2], values[2::2] = np.cumsum(values[1::2]), np.cumsum(values[2::2])
    return values
