"""COCO run-length codes of resized masks, written without the full-size mask."""

from collections.abc import Iterable

import numpy as np

from textseg import rle


def encode_resized(
    values: np.ndarray, size: tuple[int, int], threshold: float = 0.5, fixed: Iterable[tuple[int, int, bool]] = ()
) -> dict:
    """The COCO RLE of `resized > threshold`, where `resized` is (h, w) `values` resized bilinearly to `size` (H, W).

    Equal to torch's `interpolate(mode="bilinear", align_corners=False)` followed by the comparison, up to float
    rounding of values that lie on the threshold. COCO counts run down the columns, so each output column is
    interpolated at the h input rows only and the rows where it crosses the threshold are solved for: time and memory
    are those of a (W, h) array. Pixels `fixed` as (x, y, inside) are inside or outside whatever their value.
    """
    height, width = size
    start, columns = _columns(np.asarray(values, np.float32), width, threshold)
    inside = columns > threshold
    column, row = np.nonzero(inside[:, 1:] != inside[:, :-1])
    above, below = columns[column, row], columns[column, row + 1]
    crossing = (row + 0.5 + (threshold - above) / (below - above)) * (height / values.shape[0]) - 0.5
    # The first output row on the other side; a row exactly on the threshold is outside.
    entering = inside[column, row + 1]
    first = np.where(entering, np.floor(crossing) + 1, np.ceil(crossing)).clip(0, height).astype(np.int64)
    starts, ends = np.flatnonzero(inside[:, 0]), np.flatnonzero(inside[:, -1])
    changes = np.concatenate([starts * height, column * height + first, (ends + 1) * height])
    toggles = _odd(start * height + changes)
    at = {x * height + y: wanted for x, y, wanted in fixed}
    pixels = np.array(list(at), np.int64)
    wrong = pixels[np.searchsorted(toggles, pixels, side="right") % 2 != np.array(list(at.values()), int)]
    return _from_toggles(_odd(np.concatenate([toggles, wrong, wrong + 1])), size)


def _odd(toggles: np.ndarray) -> np.ndarray:
    """The sorted positions that occur an odd number of times: two changes at one place are none."""
    position, times = np.unique(toggles, return_counts=True)
    return position[times % 2 == 1]


def _from_toggles(toggles: np.ndarray, size: tuple[int, int]) -> dict:
    """The RLE of the mask that changes between out and in at each of the sorted `toggles`, indices x * H + y."""
    counts = np.diff(toggles, prepend=0, append=size[0] * size[1]).tolist()
    return rle.pack(counts if len(counts) < 2 or counts[-1] else counts[:-1], size)


def _columns(values: np.ndarray, width: int, threshold: float) -> tuple[int, np.ndarray]:
    """(first output column, (n, h) interpolated columns): those that can hold a value above the threshold.

    Pixel centres lie at +0.5 and the ends are repeated, as with `align_corners=False`.
    """
    w = values.shape[1]
    filled = np.flatnonzero((values > threshold).any(0))
    if not len(filled):
        return 0, np.zeros((0, len(values)), np.float32)
    near = ((filled[[0, -1]] + [-0.5, 1.5]) * width / w).astype(int) + [-1, 1]
    start, end = near.clip(0, width)
    centre = ((np.arange(start, end) + 0.5) * (w / width) - 0.5).clip(0, w - 1)
    left = np.minimum(centre.astype(np.int64), max(w - 2, 0))
    right = np.minimum(left + 1, w - 1)
    weight = (centre - left).astype(np.float32)[:, None]
    rows = np.ascontiguousarray(values.T)
    return int(start), rows[left] + (rows[right] - rows[left]) * weight
