"""Class-agnostic masks behind one protocol: everything in a photo, or the mask of a prompt; one module a way.

proposer = load_proposer("regions")            # or "hf:facebook/sam2.1-hiera-tiny", or a folder
proposals = proposer.open(photo)
proposals.everything()                         # masks, best first
proposals.prompt(points=[(120, 80, 1), (20, 30, -1)])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from textseg import grids, rle
from textseg.errors import PromptError
from textseg.proposals.resized import encode_resized
from textseg.registry import Registry

if TYPE_CHECKING:
    import torch

    from textseg.model import Scene
    from textseg.model.encodings import EncodingStore
    from textseg.vocabulary import Vocabulary

Point = tuple[float, float, int]
"""(x, y, label) in image pixels, origin top left; label 1 lies inside the mask, -1 outside."""

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in image pixels; right and bottom lie one past the last pixel."""

Cancel = Callable[[], bool]
"""Asked between steps; True stops the work. `threading.Event().is_set` is one."""


SAMPLES = 4
"""A mask is sampled at this many points along each side of a grid cell."""


@dataclass(frozen=True)
class Mask:
    """One mask, compact: a COCO run-length code with its score, area and box."""

    rle: dict
    """COCO RLE: `size` [H, W] and `counts` as text, fit for JSON."""
    score: float
    """How good the proposer thinks the mask is, 0..1; comparable within one answer."""
    state: Any = field(default=None, repr=False, compare=False)
    """What the proposer needs to know when the mask comes back as `previous`."""

    @classmethod
    def from_array(cls, mask: np.ndarray, score: float, state: Any = None) -> Mask:
        """The mask of an (H, W) bool array."""
        return cls(rle.encode(mask), float(score), state)

    def to_array(self) -> np.ndarray:
        """The mask as (H, W) bool."""
        return rle.decode(self.rle)

    def sample(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(len(rows), len(columns)) bool: the mask at whole pixel `rows` and `columns`, without unpacking it."""
        return rle.sample(self.rle, rows, columns)

    def boxed(self) -> tuple[tuple[slice, slice], np.ndarray]:
        """(rows and columns of its box, the mask as (h, w) bool inside): what painting it needs."""
        left, top, wide, high = self.bbox
        box = slice(top, top + high), slice(left, left + wide)
        return box, self.to_array()[box]

    def coverage(self, grid: tuple[int, int]) -> np.ndarray:
        """(h, w) the share of each cell of a grid that the mask covers, from SAMPLES x SAMPLES points a cell."""
        width, height = self.size
        rows, columns = (
            grids.nearest(cells * SAMPLES, pixels) for cells, pixels in zip(grid, (height, width), strict=True)
        )
        share = self.sample(rows, columns).reshape(grid[0], SAMPLES, grid[1], SAMPLES).mean((1, 3))
        if not share.any() and self.area:  # smaller than the space between two points
            left, top, _, _ = self.bbox
            share[grids.cells(height, grid[0])[top], grids.cells(width, grid[1])[left]] = 1
        return share

    @classmethod
    def coverages(cls, masks: Sequence[Any], grid: tuple[int, int]) -> np.ndarray:
        """`coverages` of masks of this class."""
        return np.stack([mask.coverage(grid) for mask in masks])

    @classmethod
    def lay(cls, masks: Sequence[Any], numbers: Sequence[int], size: tuple[int, int]) -> np.ndarray:
        """`laid` of masks of this class."""
        width, height = size
        index = np.zeros((height, width), np.uint16)
        for mask, number in zip(masks, numbers, strict=True):
            # Only the mask's box is looked at: hundreds of small ones cost little in a large photo.
            box, inside = mask.boxed()
            index[box][inside] = number
        return index

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the photo in pixels."""
        return self.rle["size"][1], self.rle["size"][0]

    @property
    def area(self) -> int:
        """Pixels in the mask."""
        return rle.area(self.rle)

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """(left, top, width, height) of the smallest box around the mask, as in COCO; all 0 for an empty mask."""
        return rle.bbox(self.rle)


def laid(masks: Sequence[Mask], numbers: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint16: at each pixel of a photo of `size` (width, height) the number of the last mask that holds it."""
    return _kind(masks).lay(masks, numbers, size)


def coverages(masks: Sequence[Mask], grid: tuple[int, int]) -> np.ndarray:
    """(M, h, w) the `coverage` of each of M masks of one photo."""
    return _kind(masks).coverages(masks, grid) if masks else np.zeros((0, *grid))


def _kind(masks: Sequence[Mask]) -> type[Mask]:
    """The class that all masks have in common: it may know what is theirs together."""
    kinds = {type(mask) for mask in masks}
    return kinds.pop() if len(kinds) == 1 else Mask


class Everything(Protocol):
    """One photo whose masks are wanted, whatever they show."""

    size: tuple[int, int]
    """(width, height) in pixels."""

    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """Masks of whatever is in the photo, best first; they may overlap and leave gaps. Raises Cancelled."""


class Proposals(Everything, Protocol):
    """One photo, opened by one proposer. Nothing that depends on the photo alone is computed twice."""

    def prompt(self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None) -> list[Mask]:
        """Masks of what points, a box and a mask of an earlier answer point at, best first. Raises PromptError."""

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """The masks that hold the pixel (x, y), from small to large: what the wheel walks through."""


@dataclass(frozen=True)
class Named:
    """What a proposer that knows words says of one word."""

    word: int
    """Its id in the vocabulary, from 1."""
    presence: float
    """The probability that the word is somewhere in the photo, 0..1."""
    masks: list[Mask]
    """One a thing of that word, best first; apart, so that they can become objects."""
    heat: np.ndarray = field(repr=False)
    """(h, w) float32 probability that a pixel shows the word, at the proposer's own size."""
    size: tuple[int, int]
    """(width, height) of the photo."""

    def whole(self) -> Mask:
        """The pixels that show the word more likely than not, as one mask; its score is its mean probability."""
        inside = self.heat[self.heat > 0.5]
        score = float(inside.mean()) if inside.size else 0.0
        return Mask(encode_resized(self.heat, self.size[::-1]), self.presence * score)


@runtime_checkable
class Naming(Protocol):
    """Proposals that are asked by words: what is found is what the words mean, no similarity is needed."""

    def named(self, vocabulary: Vocabulary, cancel: Cancel | None = None) -> list[Named]:
        """What is said of each word of the vocabulary, in its order. Raises Cancelled."""


@runtime_checkable
class Encoded(Protocol):
    """Proposals whose photo is encoded first, which takes most of their time: what it is encoded to can be kept."""

    def encoded(self) -> Mapping[str, torch.Tensor]:
        """What the photo was encoded to, now unless it was before."""

    def keep_in(self, encodings: EncodingStore, photo: str) -> None:
        """What the photo is encoded to is read from `encodings`, or kept there, under the photo's sha256."""


class Proposer(Protocol):
    """A way of finding masks."""

    name: str

    def open(self, photo: Image.Image, scene: Scene | None = None) -> Proposals:
        """Get `photo` ready for questions; its `scene`, where there is one, may help."""


_registry: Registry[Callable[..., Proposer]] = Registry("proposer", __name__)
register, names, facts = _registry.register, _registry.names, _registry.facts


def load_proposer(name: str = "regions", device: str | None = None) -> Proposer:
    """The proposer called `name`: `regions`; `sam:vit_b` (or vit_l, vit_h), with `//FILE` for a local checkpoint;
    `hf:` and a repository of the hub or a folder, for what transformers has of the Segment Anything family.

    Raises UnknownNameError, and WeightsError when weights cannot be had.
    """
    family, _, details = name.partition(":")
    return _registry.get(family)(details, device=device)


def knows_words(proposer: Proposer) -> bool:
    """Whether what the proposer opens is `Naming`: said before a photo is opened, by its `knows_words`."""
    return bool(getattr(proposer, "knows_words", False))


def opened(
    scene: Scene, proposer: Proposer | None = None, encodings: EncodingStore | None = None, photo: str = ""
) -> Proposals:
    """The photo of `scene` in front of `proposer`, else of `regions`; opened once a scene.

    What a proposer encodes the photo to is kept in `encodings` too, under the photo's sha256.
    """
    proposer = proposer or load_proposer("regions")
    found = scene.once(("proposals", proposer.name), lambda: proposer.open(scene.photo, scene))
    if encodings is not None and isinstance(found, Encoded):
        found.keep_in(encodings, photo)
    return found


@dataclass(frozen=True)
class Prompt:
    """A prompt that makes sense: points within the photo and not in contradiction, a box with an area."""

    points: np.ndarray
    """(N, 2) float x, y."""
    labels: np.ndarray
    """(N,) 1 inside, -1 outside."""
    box: Box | None
    previous: Mask | None

    @property
    def inside(self) -> np.ndarray:
        """(P, 2) points of the mask, as whole pixels x, y."""
        return self.points[self.labels > 0].astype(np.intp)

    @property
    def outside(self) -> np.ndarray:
        """(Q, 2) points that are not of the mask, as whole pixels x, y."""
        return self.points[self.labels < 0].astype(np.intp)


def read_prompt(
    size: tuple[int, int], points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None
) -> Prompt:
    """Check a prompt for a photo of `size` (width, height); raises PromptError with one sentence."""
    width, height = size
    if not len(points) and box is None and previous is None:
        raise PromptError("The prompt is empty; give a point, a box or a mask.")
    seen: dict[tuple[int, int], int] = {}
    for point in points:
        try:
            x, y, label = (float(number) for number in point)
        except (TypeError, ValueError):
            raise PromptError(f"The point {point!r} is not (x, y, label) in numbers.") from None
        if label not in (1, -1):
            raise PromptError(f"The point at ({x:g}, {y:g}) has the label {label:g}; use 1 for inside, -1 for outside.")
        if not (0 <= x < width and 0 <= y < height):
            raise PromptError(f"The point ({x:g}, {y:g}) lies outside the photo of {width} x {height} pixels.")
        pixel = (int(x), int(y))
        if seen.setdefault(pixel, int(label)) != label:
            raise PromptError(f"The pixel ({pixel[0]}, {pixel[1]}) is marked both inside and outside; take one away.")
    if box is not None:
        box = _read_box(box, width, height)
    if previous is not None and previous.size != size:
        raise PromptError(
            f"The previous mask is {previous.size[0]} x {previous.size[1]} pixels, the photo {width} x {height}; "
            "give a mask of this photo."
        )
    array = np.array([[float(n) for n in point] for point in points], float).reshape(-1, 3)
    return Prompt(array[:, :2], array[:, 2].astype(int), box, previous)


def _read_box(box: Box, width: int, height: int) -> Box:
    try:
        left, top, right, bottom = (float(number) for number in box)
    except (TypeError, ValueError):
        raise PromptError(f"The box {box!r} is not (left, top, right, bottom) in numbers.") from None
    if not all(math.isfinite(side) for side in (left, top, right, bottom)) or right <= left or bottom <= top:
        raise PromptError(
            f"The box ({left:g}, {top:g}, {right:g}, {bottom:g}) has no area; give left, top, right, bottom."
        )
    if left < 0 or top < 0 or right > width or bottom > height:
        raise PromptError(
            f"The box ({left:g}, {top:g}, {right:g}, {bottom:g}) reaches outside the photo ({width} x {height})."
        )
    return left, top, right, bottom
