"""Bytes and JSON values made wrong: small damages to what was right."""

import copy
import json
import random
from typing import Any

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**400, float("nan"), float("inf"), "", "²", "\ud800", "é",
    "../../etc/passwd", "C:\\x", "/abs", "http://127.0.0.1:9/x", "a" * 70_000, "\0", [], {}, [[]], [None], {"": ""},
    [[[[[[[[[[]]]]]]]]]], {"__proto__": 1}, "o" * 50, "9" * 5000,
)  # fmt: skip
NUMBERS = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00", b"\xff")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """`content` with one to eight damages: bytes changed, cut, doubled, moved, or numbers at their ends."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if not data:
            return bytes(data)
        at, span = rng.randrange(len(data)), rng.choice((1, 2, 4, 16, 256))
        match rng.randrange(7):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                del data[at : at + span]
            case 3:
                data[at:at] = data[at : at + span] * rng.choice((1, 1, 3, 50))
            case 4:
                number = rng.choice(NUMBERS)
                data[at : at + len(number)] = number
            case 5:
                del data[at:]
            case 6:
                to = rng.randrange(len(data))
                data[at : at + span], data[to : to + span] = data[to : to + span], data[at : at + span]
    return bytes(data)


def twisted(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON value in which one to three places hold something else, are gone, or are there twice."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = [(holder, key) for holder in _holders(value) for key in _keys(holder)]
        if not places:
            return rng.choice(NASTY)
        holder, key = rng.choice(places)
        match rng.randrange(5):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 0 if key < len(holder):
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.extend(copy.deepcopy(holder[:50]) * rng.choice((1, 3)))
            case 2:
                other, at = rng.choice(places)
                if at in _keys(other):
                    holder[key] = copy.deepcopy(other[at])
            case _:
                holder[key] = copy.deepcopy(rng.choice(NASTY))
    return value


def written(value: Any, rng: random.Random) -> bytes:
    """A twisted value as JSON text, now and then damaged once more."""
    text = json.dumps(twisted(value, rng)).encode()
    return damaged(text, rng) if rng.random() < 0.2 else text


def _holders(value: Any, depth: int = 0) -> list[Any]:
    if not isinstance(value, (dict, list)) or depth > 8:
        return []
    inner = list(value.values()) if isinstance(value, dict) else value[:200]
    return [value, *(holder for item in inner for holder in _holders(item, depth + 1))]


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))
