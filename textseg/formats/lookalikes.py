"""Whether two photos show the same: saved again, resized, in another file type. Bytes need not be equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

HASH, THUMB = 16, 32
NEAR_BITS = 32
"""Of the 256 bits of a difference hash; photos further apart are not looked at twice."""
ALIKE, SAME = (10, 40), (2, 16)
"""Grey levels by which two thumbnails may differ: on the average of all channels, and in brightness anywhere.

Measured on JPEG at quality 50 to 85 and WebP, at half to twice the size: photographs at most 1.3 and 10, or 0.9 and 3
at their own size; drawings with hard edges more. Different photographs: 50 and more.
"""


class Look:
    """What a photo looks like: a difference hash and a thumbnail."""

    def __init__(self, photo: Image.Image) -> None:
        grey = np.asarray(photo.convert("L").resize((HASH + 1, HASH), Image.Resampling.BOX), np.int16)
        self.bits = np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)
        self.thumb = np.asarray(photo.convert("RGB").resize((THUMB, THUMB), Image.Resampling.BOX), np.int16)

    def like(self, other: Look) -> bool:
        """Whether one may be a copy of the other, at any size; in doubt it is."""
        return self._within(other, *ALIKE)

    def same(self, other: Look) -> bool:
        """Whether one is the other, saved again; in doubt it is not."""
        return self._within(other, *SAME)

    def _within(self, other: Look, mean: float, most: float) -> bool:
        difference = self.thumb - other.thumb
        return bool(np.abs(difference).mean() <= mean and np.abs(difference.mean(2)).max() <= most)


def groups(looks: Sequence[Look | None]) -> list[list[int]]:
    """Positions of photos that look alike, together; None is like nothing else."""
    known = [k for k, look in enumerate(looks) if look is not None]
    bits = np.array([looks[k].bits for k in known], np.uint64).reshape(len(known), -1)  # type: ignore[union-attr]
    parent = list(range(len(looks)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = k = parent[parent[k]]
        return k

    for row in range(1, len(known)):
        near = np.flatnonzero(np.bitwise_count(bits[:row] ^ bits[row]).sum(1) <= NEAR_BITS)
        for other in near:
            if looks[known[row]].like(looks[known[other]]):  # type: ignore[union-attr, arg-type]
                parent[root(known[row])] = root(known[other])
    members: dict[int, list[int]] = {}
    for k in range(len(looks)):
        members.setdefault(root(k), []).append(k)
    return list(members.values())
