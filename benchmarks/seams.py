"""Do borders of tiles show in a huge photo's label map? Class changes at them, beside those everywhere else.

    python benchmarks/seams.py

scikit-image's sample photos, enlarged to 1600 pixels, are labelled by tiles that overlap, and by tiles of the same size
cut apart and labelled each by itself. Printed is the share of neighbouring pixels of unlike class: across the lines at
which tiles begin or end, and across all other lines. Where no border shows the first is no larger than the second.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import skimage
import tifffile
from PIL import Image

from textseg import load_model, pyramids
from textseg.bulk import tiles
from textseg.model import Model
from textseg.pyramids import plan
from textseg.segmentation import scored, segment
from textseg.vocabulary import Vocabulary

PHOTOS = {
    "motorcycle_left.png": "motorcycle, floor, shelf, box",
    "coffee.png": "cup, wooden table, spoon",
    "chelsea.png": "cat, blanket",
}
SIDE = 1600


def main() -> None:
    model = load_model("lite")
    counts: dict[str, list[np.ndarray]] = {"overlapping": [], "cut apart": []}
    for name, words in PHOTOS.items():
        photo = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
        photo = photo.resize((SIDE, round(photo.height * SIDE / photo.width)), Image.Resampling.BICUBIC)
        vocabulary = Vocabulary.parse(words)
        counts["overlapping"].append(changes(by_tiles(model, photo, vocabulary), overlapping))
        counts["cut apart"].append(
            changes(apart(model, photo, vocabulary), lambda n: list(range(plan.TILE, n, plan.TILE)))
        )
    for name, parts in counts.items():
        at, lines, elsewhere, others = sum(parts)
        print(f"{name:12} at borders {100 * at / lines:6.2f} %   elsewhere {100 * elsewhere / others:6.2f} %")


def by_tiles(model: Model, photo: Image.Image, vocabulary: Vocabulary) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.tif")
        tifffile.imwrite(path, np.asarray(photo), tile=(256, 256), photometric="rgb")
        with pyramids.open(path) as pyramid:
            found = tiles.label(pyramid, model, vocabulary, partial(scored, vocabulary=vocabulary), True, 1)
    return found.ids[:, :]


def apart(model: Model, photo: Image.Image, vocabulary: Vocabulary) -> np.ndarray:
    ids = np.zeros((photo.height, photo.width), np.uint8)
    for top in range(0, photo.height, plan.TILE):
        for left in range(0, photo.width, plan.TILE):
            box = left, top, min(left + plan.TILE, photo.width), min(top + plan.TILE, photo.height)
            ids[top : box[3], left : box[2]] = segment(model.encode(photo.crop(box)), vocabulary).ids
    return ids


def overlapping(length: int) -> list[int]:
    """Where tiles begin or end along a side."""
    [row, *_] = plan.tiles((length, length), 2)
    return sorted({edge for left, _, right, _ in row for edge in (left, right)} - {0, length})


def changes(ids: np.ndarray, borders) -> np.ndarray:  # type: ignore[no-untyped-def]
    """(4,) shares of changes summed over the lines at borders, those lines; the same for all others."""
    found = np.zeros(4)
    for axis in (0, 1):
        share = (np.diff(ids, axis=axis) != 0).mean(1 - axis)
        at = np.array([edge - 1 for edge in borders(ids.shape[axis]) if edge - 1 < len(share)])
        rest = np.delete(share, at)
        found += [share[at].sum(), len(at), rest.sum(), len(rest)]
    return found


if __name__ == "__main__":
    main()
