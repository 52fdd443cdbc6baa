"""Projects with label maps of every awkward shape, for tests of what reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.tiny import noise_photo
from textseg.project import Project
from textseg.project.place import Place
from textseg.vocabulary import Vocabulary, Word, colour_cycle

SIZES = ((37, 23), (1, 9), (48, 31))


def awkward_map(width: int, height: int, classes: int, seed: int) -> np.ndarray:
    """Touching regions, rings around rings, one-pixel parts, noise, or nothing: which of them, the seed says."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 6)
    if kind == 0:
        return rng.integers(0, classes + 1, (height, width)).astype(np.uint16)
    if kind == 1:
        return np.zeros((height, width), np.uint16)
    if kind == 2:
        return np.full((height, width), rng.integers(1, classes + 1), np.uint16)
    y, x = np.mgrid[:height, :width]
    if kind == 3:  # rings: each class lies in a hole of another
        centre = rng.integers(0, width), rng.integers(0, height)
        far = np.maximum(abs(x - centre[0]), abs(y - centre[1]))
        return (far // rng.integers(1, 5) % (classes + 1)).astype(np.uint16)
    blocks = rng.integers(0, classes + 1, (height // 5 + 1, width // 5 + 1))
    ids = np.kron(blocks, np.ones((5, 5), int))[:height, :width]
    if kind == 5:  # single pixels in the midst of regions
        ids = np.where(rng.random((height, width)) < 0.08, rng.integers(0, classes + 1, (height, width)), ids)
    return ids.astype(np.uint16)


def make_project(place: Path | Place, names: list[str], photos: Mapping[str, tuple[int, int]]) -> Project:
    """A project with these classes and a noise photo of each name and size."""
    colours = colour_cycle(len(names))
    words = tuple(Word(name, colour=colour) for name, colour in zip(names, colours, strict=True))
    project = Project.create(place, Vocabulary(words))
    with project.taking_in() as intake:
        for seed, (name, size) in enumerate(photos.items()):
            path = project.folder / f"photo{Path(name).suffix}"
            noise_photo(*size, seed=seed).save(path)
            intake.add_photo(name, path.suffix, path.read_bytes(), size)
            path.unlink()
    return project


def put(project: Project, photo: int | str, ids: np.ndarray, kind: str = "person") -> None:
    """Make `ids` the photo's label map."""
    with project.taking_in() as intake:
        intake.put_labels(project.photo(photo).id, ids, "theirs", kind, {"type": "import"})  # type: ignore[arg-type]


def named_map(project: Project, photo: int | str) -> np.ndarray:
    """The photo's label map with the class names in place of ids."""
    names = {row.id: row.name for row in project.classes()} | {0: ""}
    table = np.array([names.get(k, "?") for k in range(max(names) + 1)], object)
    return table[project.label_map(photo)[0]]
