"""COCO run-length codes, read without trusting them: runs are checked before a pixel is painted."""

from __future__ import annotations

from typing import Any

import numpy as np

from textseg.errors import DatasetError
from textseg.formats.source import an_object, brief


def runs(segmentation: Any, size: tuple[int, int], where: str) -> np.ndarray:
    """The run lengths (zeros first, down the columns) of an RLE for a photo of `size` (width, height).

    `counts` may be a list or COCO's text form. Raises DatasetError when the size is another one, or when the runs are
    not those of exactly that many pixels.
    """
    rle, (width, height) = an_object(segmentation, where), size
    if list(rle.get("size") or []) != [height, width]:
        raise DatasetError(
            f"{where}.size is {brief(rle.get('size'))} but the photo is {[height, width]} (height, width)."
        )
    counts = rle.get("counts")
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
