"""What travels to the canvas, and how. `assets/web/payload.js` is the other half of this module.

**Rasters are PNGs in base64.** The page reads them with a decoder of its own (`assets/web/png.js`), never through a
`<canvas>`: browsers that guard against fingerprinting disturb what a canvas gives back, and one wrong bit is another
class. One-channel PNGs hold a byte a pixel; `planes` says what the channels of the others are.

**A photo** (`photo`) travels once, when it is opened:

    {"photo": token, "name": "cat.jpg", "size": [W, H], "shown": [w, h], "jpeg": base64, "seconds": null | 0.6}

`size` is the photo after EXIF orientation, `shown` the copy for the page (long side at most `SHOWN_SIDE`), `seconds` an
estimate of what encoding it will take, null when it is encoded or nothing is known.

**An answer** (`answer`) travels once a vocabulary (or method of labelling), about 1 KB a word:

    {"words":  [{"name", "aliases", "colour", "background",                class id = position + 1
                 "presence": null | 0.9, "unknown": ["blorft"]}, ...],     names that the model does not know
     "grid":   {"rows": h, "columns": w, "low": a, "high": b, "png": ...}, K planes of h x w below each other:
                                                                           similarity = a + (b - a) * byte / 255;
                                                                           a to b holds the other words' too
     "labels": {"size": [w, h], "planes": "id,score" | "low,high,score", "png": ...},
     "scale":  30.0,                                                       logit scale of the softmax over words
     "rest":   null | {"shares": [["snow", 0.56], ...],                    what the pixels of id 0 are instead
                       "names":  ["snow", "ski", ...], "png": ...},        h x w planes low, high, score: the other
                                                                           word that scores best in each cell
     "seconds": {"encode": 0.0, "answer": 0.08}}

`labels` is the label map without any threshold, read at the shown size by nearest neighbour: class id (0 = none; above
255 classes in two bytes) and the winner's similarity, 255 = 1.0. A threshold at level n hides a class where the score
byte is below n. `threshold_of(n)` is the similarity that gives the same pixels in `LabelMap`, so what the page shows
and what it downloads agree. Areas, confidence, heat maps, hover and colours follow in the browser from these two
rasters.

**Units** (`partition`): {"count": n, "size": [w, h], "planes": "id" | "low,high", "png": ...}.

**Masks** (`masks`) overlap, so what travels is the partition into cells that lie in the same masks, and each mask's
cells; one picture, however many masks there are:

    {"cells": partition, "masks": [{"cells": [3, 7], "area": share, "colour": "#rrggbb", "word": class id,
                                    "confidence", "margin", "scores": [[class id, similarity], ...],
                                    "other": null | ["snow", similarity]}, ...]}

Large masks come first. Where an other word describes a mask best its class id is 0; `other` is the one that fits best,
whoever won.
"""

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from textseg import images
from textseg.labelmap import LabelMap
from textseg.model import Scene, known
from textseg.model.others import Others
from textseg.pseudolabel import PseudoLabels
from textseg.vocabulary import Vocabulary, colour_cycle

SHOWN_SIDE = 1600
"""Long side of the photo and the label map that the page shows."""
MASK_SIDE = 1024
"""Long side of the picture of all masks."""
HEAT_SIDE = 96
"""Most cells along a side of the heat of words that a proposer was asked by."""
NOTHING = "something else"
"""What is none of those words."""
SHOWN_WORDS = 5
"""Words that are told of each mask."""


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) at which a photo of `size` is shown."""
    scale = min(1.0, SHOWN_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def threshold_of(level: int) -> float:
    """The least similarity whose score byte is `level`: a byte is round(255 * similarity)."""
    return (level - 0.5) / 255 if level > 0 else 0.0


def jpeg(photo: Image.Image, side: int = SHOWN_SIDE, quality: int = 88) -> str:
    """The photo with a long side of at most `side`, as a JPEG in base64."""
    return base64.b64encode(jpeg_bytes(photo, side, quality)).decode("ascii")


def jpeg_bytes(photo: Image.Image, side: int, quality: int) -> bytes:
    buffer = io.BytesIO()
    images.limit(photo, side).save(buffer, "JPEG", quality=quality, optimize=side <= SHOWN_SIDE)
    return buffer.getvalue()


def answer(
    scene: Scene,
    vocabulary: Vocabulary,
    labels: LabelMap,
    templates: str | None = None,
    rest: Others | None = None,
) -> dict[str, Any]:
    """The `words`, `grid`, `labels`, `scale` and `rest` of one answer.

    `labels` must be made without thresholds; `rest` are the other words that competed for them.
    """
    similarity, best = _compared(scene, vocabulary, labels, templates, rest)
    grid = _grid(similarity, () if best is None else best[0])
    asked_elsewhere = labels.heat is not None  # of the words of a proposer that knows some the model says nothing
    unknown = set() if asked_elsewhere else set(known.unknown(scene.model, vocabulary))
    return {
        "words": [
            {
                "name": word.name,
                "aliases": list(word.aliases),
                "colour": word.colour,
                "background": word.background,
                "presence": labels.presence.get(class_id),
                "unknown": [text for text in word.texts if text in unknown],
            }
            for class_id, word in enumerate(vocabulary, start=1)
        ],
        "grid": grid,
        "rest": None if rest is None or best is None else _rest(labels, *best, grid["low"], grid["high"]),
        "labels": _labels(labels),
        "scale": scene.model.logit_scale,
    }


def partition(ids: np.ndarray) -> dict[str, Any]:
    """An (H, W) map of units or regions, numbered from 0."""
    count = int(ids.max()) + 1
    low = (ids & 255).astype(np.uint8)
    planes = [low] if count <= 256 else [low, (ids >> 8).astype(np.uint8)]
    return {
        "count": count,
        "size": [ids.shape[1], ids.shape[0]],
        "planes": "id" if len(planes) == 1 else "low,high",
        "png": _png(np.dstack(planes)),
    }


def masks(found: PseudoLabels) -> dict[str, Any]:
    """Every proposal of a photo with the words that describe it best."""
    scale = min(1.0, MASK_SIDE / max(found.size))
    columns, rows = (
        ((np.arange(max(1, round(n * scale))) + 0.5) * n / max(1, round(n * scale))).astype(np.intp) for n in found.size
    )
    regions = sorted(found.regions, key=lambda region: -region.mask.area)
    # Each mask adds a random number to its pixels: pixels of equal sums lie in the same masks.
    keys = np.random.default_rng(0).integers(1, 2**63, len(regions), dtype=np.uint64)
    sums = np.zeros((len(rows), len(columns)), np.uint64)
    boxes = []
    for region, key in zip(regions, keys, strict=True):
        left, top, width, height = region.mask.bbox
        box = slice(*np.searchsorted(rows, (top, top + height))), slice(*np.searchsorted(columns, (left, left + width)))
        inside = region.mask.sample(rows[box[0]], columns[box[1]])
        sums[box][inside] += key
        boxes.append((box, inside))
    cells = np.unique(sums, return_inverse=True)[1].reshape(sums.shape)
    most = min(SHOWN_WORDS, len(found.vocabulary))
    return {
        "cells": partition(cells),
        "masks": [
            {
                "cells": np.unique(cells[box][inside]).tolist(),
                "colour": colour,
                "area": round(region.mask.area / (found.size[0] * found.size[1]), 5),
                "word": region.word,
                "confidence": round(region.confidence, 4),
                "margin": round(region.margin, 4),
                "scores": [[int(k) + 1, round(float(region.scores[k]), 4)] for k in np.argsort(-region.scores)[:most]],
                "other": region.other and [region.other[0], round(region.other[1], 4)],
            }
            for region, (box, inside), colour in zip(regions, boxes, colour_cycle(len(regions)), strict=True)
        ],
    }


def _grid(similarity: np.ndarray, others: np.ndarray | tuple[()] = ()) -> dict[str, Any]:
    """(K, h, w) similarities on a scale that holds those of `others` too: an absent word is not made to shine."""
    words, rows, columns = similarity.shape
    low, high = (float(end([end(similarity), *np.ravel(others)])) for end in (np.min, np.max))
    span = high - low or 1.0
    levels = np.rint((similarity - low) * (255 / span)).astype(np.uint8)
    return {
        "rows": rows,
        "columns": columns,
        "low": round(low, 6),
        "high": round(low + span, 6),
        "png": _png(levels.reshape(words * rows, columns, 1)),
    }


def _compared(
    scene: Scene, vocabulary: Vocabulary, labels: LabelMap, templates: str | None, rest: Others | None
) -> tuple[np.ndarray, tuple[np.ndarray, Sequence[str], np.ndarray] | None]:
    """(K, h, w) what each word scores, and of what else competed the best score, the names, and whose it is.

    A proposer that was asked by words says how likely each is; what is none of them is then nothing that has a name.
    """
    if labels.heat is None:
        best = None if rest is None else _best(scene, vocabulary, templates, rest)
        return scene.similarity(vocabulary, templates=templates), best
    step = -(-max(labels.heat.shape[1:]) // HEAT_SIDE)
    heat = np.ascontiguousarray(labels.heat[:, step // 2 :: step, step // 2 :: step])
    unnamed = (1 - heat.max(0), (NOTHING,), np.zeros(heat.shape[1:], int))
    return heat, None if rest is None else unnamed


def _best(
    scene: Scene, vocabulary: Vocabulary, templates: str | None, rest: Others
) -> tuple[np.ndarray, Sequence[str], np.ndarray] | None:
    """(h, w) similarity and number of the other word that fits best, and the names; None where none competes."""
    rivals = rest.rivals(scene.model, vocabulary, templates).to(scene.embedding.device)
    if not bool(rivals.any()):
        return None
    value, winner = rest.ranked(scene).strongest(rivals)
    return value.view(scene.grid).float().cpu().numpy(), rest.names, winner.view(scene.grid).cpu().numpy()


def _rest(
    labels: LabelMap, value: np.ndarray, names: Sequence[str], winner: np.ndarray, low: float, high: float
) -> dict[str, Any]:
    found, ids = np.unique(winner, return_inverse=True)
    ids = ids.reshape(winner.shape)
    score = np.clip(np.rint((value - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
    planes = [(ids & 255).astype(np.uint8), (ids >> 8).astype(np.uint8), score]
    return {
        "shares": [[name, share] for name, share in labels.elsewhere],
        "names": [names[int(noun)] for noun in found],
        "png": _png(np.dstack(planes)),
    }


def _labels(labels: LabelMap) -> dict[str, Any]:
    width, height = shown_size(labels.size)
    rows = ((np.arange(height) + 0.5) * labels.size[1] / height).astype(np.intp)[:, None]
    columns = ((np.arange(width) + 0.5) * labels.size[0] / width).astype(np.intp)[None, :]
    ids = labels.ids[rows, columns]
    score = labels.score[rows, columns] if labels.score is not None else np.full_like(ids, 255, np.uint8)
    wide = len(labels.vocabulary) > 255
    planes = [(ids & 255).astype(np.uint8), (ids >> 8).astype(np.uint8), score] if wide else [ids, score]
    return {
        "size": [width, height],
        "planes": "low,high,score" if wide else "id,score",
        "png": _png(np.dstack(planes)),
    }


def _png(planes: np.ndarray) -> str:
    """(H, W, C) bytes as a PNG of C = 1 to 3 channels, base64.

    Label maps are flat and want no row filter, similarities are smooth and want one; Pillow leaves no choice, so the
    few bytes around the pixels are written here, with whichever of the filters None and Up packs better.
    """
    height, width, channels = planes.shape
    flat = np.ascontiguousarray(planes).reshape(height, width * channels)
    up = np.diff(flat, axis=0, prepend=np.zeros((1, flat.shape[1]), np.uint8))  # modulo 256, as PNG wants it
    packed = min((zlib.compress(_rows(rows, kind), 9) for kind, rows in ((0, flat), (2, up))), key=len)
    header = struct.pack(">2I5B", width, height, 8, {1: 0, 2: 4, 3: 2}[channels], 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    return base64.b64encode(png).decode("ascii")


def _rows(rows: np.ndarray, kind: int) -> bytes:
    return np.insert(rows, 0, kind, axis=1).tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
