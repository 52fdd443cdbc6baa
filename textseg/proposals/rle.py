"""COCO run-length codes of resized masks, written without the full-size mask."""

import numpy as np


def encode_resized(values: np.ndarray, size: tuple[int, int], threshold: float = 0.5) -> dict:
    """The COCO RLE of `upsampled > threshold`, where `upsampled` is (h, w) `values` resized bilinearly to `size` (H, W).

    Equal to torch's `interpolate(mode="bilinear", align_corners=False)` followed by the comparison, up to float
    rounding of values that lie on the threshold. COCO counts run down the columns, so each output column is
    interpolated at the h input rows only and the rows where it crosses the threshold are solved for: time and memory
    are those of a (W, h) array.
    """
    height, width = size
    columns = _columns(np.ascontiguousarray(values.T, dtype=np.float32), width)
    inside = columns > threshold
    rows = values.shape[0]
    scale = height / rows
    column, row = np.nonzero(inside[:, 1:] != inside[:, :-1])
    below, above = columns[column, row], columns[column, row + 1]
    crossing = (row + 0.5 + (threshold - below) / (above - below)) * scale - 0.5
    # The first output row on the other side; a row exactly on the threshold is outside.
    entering = inside[column, row + 1]
    first = np.where(entering, np.floor(crossing) + 1, np.ceil(crossing)).clip(0, height).astype(np.int64)
    starts, ends = np.flatnonzero(inside[:, 0]), np.flatnonzero(inside[:, -1])
    toggles = np.concatenate([starts * height, column * height + first, (ends + 1) * height])
    return from_toggles(toggles, size)


def from_toggles(toggles: np.ndarray, size: tuple[int, int]) -> dict:
    """The COCO RLE of the mask that changes between out and in at each of `toggles`, indices x * H + y in any order."""
    from pycocotools import mask as coco

    height, width = size
    position, times = np.unique(toggles, return_counts=True)
    position = position[times % 2 == 1]
    counts = np.diff(np.concatenate([[0], position, [height * width]]))
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    rle = coco.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return {"size": [height, width], "counts": rle["counts"].decode("ascii")}


def _columns(rows: np.ndarray, count: int) -> np.ndarray:
    """Interpolate (w, h) to (count, h) along the first axis, pixel centres at +0.5, ends repeated."""
    width = len(rows)
    if width == count:
        return rows
    centre = ((np.arange(count) + 0.5) * (width / count) - 0.5).clip(0, width - 1)
    left = np.minimum(centre.astype(np.int64), max(width - 2, 0))
    weight = (centre - left).astype(np.float32)[:, None]
    right = np.minimum(left + 1, width - 1)
    return rows[left] + (rows[right] - rows[left]) * weight
