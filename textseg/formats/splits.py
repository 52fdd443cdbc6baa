"""Train, val and test: by a seeded rule, shares met as nearly as whole photos allow, look-alikes kept together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from textseg.errors import FormatError

SPLITS = ("train", "val", "test")


def parse_split(text: str) -> dict[str, float]:
    """Read `train=0.8,val=0.1,test=0.1`; raises FormatError when that is no split."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition("="))
        try:
            value = float(share)
        except ValueError:
            value = math.nan
        if name not in SPLITS or name in shares or not 0 <= value <= 1:
            raise FormatError(f"'{part.strip()}' is no part of a split; write it as train=0.8,val=0.1,test=0.1.")
        shares[name] = value
    return check_split(shares)


def check_split(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares in the order of SPLITS; raises FormatError unless they have its names and add up to 1."""
    if any(name not in SPLITS or not share >= 0 for name, share in shares.items()):
        raise FormatError(f"A split has a share of {', '.join(SPLITS)} each, none below 0.")
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise FormatError(f"The shares of {', '.join(SPLITS)} must add up to 1, not {sum(shares.values()):g}.")
    return {name: shares[name] for name in SPLITS if shares.get(name)}


def assign(keys: Sequence[str], alike: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int) -> list[str]:
    """The split of each photo: groups in the order of a seeded hash of their keys, each to where most is missing.

    No split stays empty where there are groups enough. The result depends on the photos, the shares and the seed alone,
    not on the order in which photos were added.
    """

    def place(group: Sequence[int]) -> bytes:
        return hashlib.sha256(f"{seed}:{min(keys[k] for k in group)}".encode()).digest()

    counts = dict.fromkeys(shares, 0)
    split = [""] * len(keys)
    for left, group in zip(range(len(alike), 0, -1), sorted(alike, key=place), strict=True):
        empty = [name for name in shares if not counts[name]]
        name = max(empty if left <= len(empty) else shares, key=lambda n: shares[n] * len(keys) - counts[n])
        counts[name] += len(group)
        for k in group:
            split[k] = name
    return split
