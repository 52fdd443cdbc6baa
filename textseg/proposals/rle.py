"""COCO run-length codes written from resized masks and read at single pixels, without the full-size mask."""

from collections.abc import Iterable

import numpy as np


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


def sample(rle: dict, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(len(rows), len(columns)) bool: the mask at those pixel rows and columns. Time does not grow with the photo."""
    toggles = _toggles(rle["counts"])
    positions = columns[None, :] * rle["size"][0] + rows[:, None]
    return np.searchsorted(toggles, positions, side="right") % 2 == 1


def _toggles(text: str) -> np.ndarray:
    """The positions x * H + y where a code's mask changes between out and in.

    COCO's text holds 5 bits a character, lowest first, bit 6 says that more follow, and from the fourth run on what is
    written is the difference to the run two before (pycocotools, common/maskApi.c, rleFrString).
    """
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not len(codes):
        return codes
    ends = np.flatnonzero(~codes & 0x20)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    places = np.arange(len(codes)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((codes & 0x1F) << (5 * places), starts)
    runs -= np.where(codes[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    runs[1::2], runs[2::2] = np.cumsum(runs[1::2]), np.cumsum(runs[2::2])
    return np.cumsum(runs)[:-1]


def _odd(toggles: np.ndarray) -> np.ndarray:
    """The sorted positions that occur an odd number of times: two changes at one place are none."""
    position, times = np.unique(toggles, return_counts=True)
    return position[times % 2 == 1]


def _from_toggles(toggles: np.ndarray, size: tuple[int, int]) -> dict:
    """The RLE of the mask that changes between out and in at each of the sorted `toggles`, indices x * H + y."""
    from pycocotools import mask as coco

    height, width = size
    counts = np.diff(toggles, prepend=0, append=height * width).tolist()
    if len(counts) > 1 and not counts[-1]:
        counts.pop()
    rle = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": rle["counts"].decode("ascii")}


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
