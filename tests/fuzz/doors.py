"""The doors that strangers' bytes come through, each with valid seeds and one way to try a mutated one.

`try_` returns when the input was taken, and raises TextsegError when it was refused; anything else is a find.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

from tests import layouts
from tests.fuzz.mutate import damaged, twisted, written
from tests.label_maps import awkward_map, make_project, put
from tests.tiny import TinyBackbone, noise_photo
from textseg import formats, images, pages, rle
from textseg.labelmap import index_png, read_index_png
from textseg.model import heads
from textseg.vocabulary import Vocabulary


class Door(ABC):
    """One way in. `make` gives the bytes to try, so that a find can be written down and tried again."""

    def __init__(self, folder: Path) -> None:
        """Get the seeds ready; `folder` is empty and the door's own."""
        self.folder = folder

    @abstractmethod
    def make(self, rng: random.Random) -> bytes: ...

    @abstractmethod
    def try_(self, data: bytes) -> None: ...


class Photos(Door):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = []
        rgb, grey = noise_photo(40, 30), np.arange(1200).reshape(30, 40)
        with images.stored(_encoded(rgb, "PNG")):  # the plugins are there
            kinds = [kind for kind in images.FORMATS if kind in Image.SAVE and kind != "MPO"]
        for kind in kinds:
            self.seeds.append(_encoded(rgb, kind))
        self.seeds += list(_tiffs(rgb, grey))
        for image in (*map(rgb.convert, ("P", "RGBA", "CMYK")), Image.fromarray(grey.astype(np.uint16))):
            self.seeds.append(_encoded(image, "TIFF"))
        turned = Image.Exif()
        turned[0x0112] = 6
        self.seeds.append(_encoded(rgb, "JPEG", exif=turned))
        self.seeds.append(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")

    def make(self, rng: random.Random) -> bytes:
        return damaged(rng.choice(self.seeds), rng)

    def try_(self, data: bytes) -> None:
        many, are_pages = pages.count(data)
        if are_pages and many > 1:
            images.open(pages.page(data, many - 1))
        images.open(data)


class LabelMaps(Photos):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        ids = awkward_map(40, 30, 5, 4)
        self.seeds = [index_png(ids, ["#112233"] * 5), index_png(ids + 300, []), _encoded(noise_photo(9, 9), "PNG")]

    def try_(self, data: bytes) -> None:
        read_index_png(data)


class Codes(Door):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = [rle.encode(awkward_map(31, 17, 1, seed) > 0) for seed in range(8)]
        self.seeds += [{"size": [17, 31], "counts": [5, 10, 512]}]

    def make(self, rng: random.Random) -> bytes:
        seed = dict(rng.choice(self.seeds))
        if isinstance(seed["counts"], str) and rng.random() < 0.7:
            return json.dumps(seed | {"counts": damaged(seed["counts"].encode(), rng).decode("latin-1")}).encode()
        return written(seed, rng)

    def try_(self, data: bytes) -> None:
        mask = rle.decode(_parsed(data), (31, 17))
        assert mask.shape == (17, 31)


class Words(Door):
    SEEDS = ("cat; kitten, sofa, wall", "-sky, dog\nperson; man; woman", "a, b, c; d; e", "猫、犬", "é, -é, E;e")

    def make(self, rng: random.Random) -> bytes:
        return damaged(rng.choice(self.SEEDS).encode() * rng.choice((1, 1, 30, 3000)), rng)

    def try_(self, data: bytes) -> None:
        words = Vocabulary.parse(data.decode("utf-8", "surrogateescape"))
        assert Vocabulary.parse(str(words)).names == words.names


class Gestures(Door):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.project = make_project(folder / "p", ["cat", "sofa"], {"a.png": (40, 30)})
        mask = awkward_map(40, 30, 1, 4) > 0
        self.seeds: list[dict[str, Any]] = [
            {"type": "brush", "class": 1, "radius": 5, "points": [[1, 1], [20, 20]], "locked": [2]},
            {"type": "polygon", "class": 2, "points": [[1, 1], [20, 20], [3, 28]], "only_unlabelled": True},
            {"type": "fill", "class": 1, "point": [3, 3]},
            {"type": "region", "class": 2, "rle": rle.encode(mask)},
            {"type": "relabel", "from": 1, "to": 2},
            {"type": "accept", "class": 1, "above": 0.5},
            {"type": "undo"},
            {"type": "redo"},
        ]

    def make(self, rng: random.Random) -> bytes:
        return written(rng.choice(self.seeds), rng)

    def try_(self, data: bytes) -> None:
        self.project.edit("a.png", self.project.photo("a.png").revision, _parsed(data))


class Heads(Door):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        backbone, path = TinyBackbone(), folder / "whole.safetensors"
        heads.save(heads.get("block").build(backbone, width=12, heads=2), path, backbone)
        whole = path.read_bytes()
        end = 8 + int.from_bytes(whole[:8], "little")
        self.header, self.tensors = whole[8:end], whole[end:]
        self.facts = json.loads(self.header)

    def make(self, rng: random.Random) -> bytes:
        if rng.random() < 0.5:
            header = damaged(self.header, rng)
        else:
            inner = json.loads(self.facts["__metadata__"]["textseg"])
            header = json.dumps(self.facts | {"__metadata__": {"textseg": json.dumps(twisted(inner, rng))}}).encode()
        return len(header).to_bytes(8, "little") + header + self.tensors

    def try_(self, data: bytes) -> None:
        path = self.folder / "head.safetensors"
        path.write_bytes(data)
        heads.load(path, TinyBackbone())


class Imports(Door):
    """One file of a valid data set is damaged; the bytes to try are the number of the set, the file and its content."""

    format = ""
    told: str | None = ""
    """What the import is told; None: nothing, and it finds out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.wholes = self.sets(folder / "whole")
        self.files = [
            [path for path in sorted(whole.rglob("*")) if path.is_file() and path.suffix not in (".jpg", ".md")]
            for whole in self.wholes
        ]
        self.project = make_project(folder / "target", ["cat"], {})
        self.told = self.format

    def sets(self, folder: Path) -> list[Path]:
        """Our own export, where the format is one that is written, and what other tools write."""
        found = []
        if self.format in formats.names():
            sizes = {"a.png": (24, 16), "b.jpg": (16, 24)}
            project = make_project(folder / "source", ["cat", "sofa"], sizes)
            for k, (name, size) in enumerate(sizes.items()):
                put(project, name, np.maximum(awkward_map(*size, 2, 4 + k), 1))
            formats.export(project, self.format, folder / "export")
            project.close()
            found.append(folder / "export")
        for build in layouts.SETS:
            place = folder / build.__name__
            if build(place)[0] == self.format:
                found.append(place)
        return found

    def make(self, rng: random.Random) -> bytes:
        number = rng.randrange(len(self.wholes))
        path = rng.choice(self.files[number])
        content = path.read_bytes()
        if path.suffix == ".json" and rng.random() < 0.8:
            content = written(json.loads(content), rng)
        else:
            content = damaged(content, rng)
        name = path.relative_to(self.wholes[number]).as_posix()
        return f"{number}\n{name}\n".encode() + content

    def try_(self, data: bytes) -> None:
        number, name, content = data.split(b"\n", 2)
        place = self.folder / "try"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.wholes[int(number)], place)
        (place / name.decode()).write_bytes(content)
        self.take(place)

    def take(self, place: Path) -> None:
        before = sorted(path.name for path in self.folder.iterdir())
        try:
            report = formats.import_(place, self.told, self.project, dry_run=True)
            json.dumps(report.to_dict()), report.describe()
        finally:
            assert sorted(path.name for path in self.folder.iterdir()) == before, "a file outside the data set"
            assert not self.project.photos(), "a dry run left a photo"


class Unnamed(Imports):
    """A set of any tool, whose format the import has to find out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.told = None

    def sets(self, folder: Path) -> list[Path]:
        for build in layouts.SETS:
            build(folder / build.__name__)
        return [folder / build.__name__ for build in layouts.SETS]


class Zips(Unnamed):
    """A zip of such a set, damaged."""

    def make(self, rng: random.Random) -> bytes:
        whole = rng.choice(self.wholes)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for path in sorted(whole.rglob("*")):
                archive.write(path, Path("set") / path.relative_to(whole))
        return damaged(buffer.getvalue(), rng)

    def try_(self, data: bytes) -> None:
        place = self.folder / "try.zip"
        place.write_bytes(data)
        self.take(place)


def doors() -> dict[str, type[Door]]:
    """Every door by name."""
    found: dict[str, type[Door]] = {
        "photo": Photos, "label map": LabelMaps, "code": Codes, "words": Words, "gesture": Gestures, "head": Heads,
        "import": Unnamed, "import zip": Zips,
    }  # fmt: skip
    for name in formats.readable():
        found[f"import {name}"] = type(f"Import{name}", (Imports,), {"format": name})
    return found


def _tiffs(rgb: Image.Image, grey: np.ndarray) -> Iterator[bytes]:
    """Numbers of every kind, packed and not, pages, and a profile."""
    for kind in ("u2", "i2", "i1", "u4", "f4", "f8", "f2"):
        for compression in (None, "zlib"):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, grey.astype(kind), compression=compression)
            yield buffer.getvalue()
    deep = np.stack([grey.astype("u2") * 50] * 3, axis=2)
    for options in ({}, {"compression": "zlib"}, {"planarconfig": "separate"}):
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer, np.moveaxis(deep, 2, 0) if "planarconfig" in options else deep, photometric="rgb", **options
        )
        yield buffer.getvalue()
    yield _encoded(rgb, "TIFF", save_all=True, append_images=[rgb.convert("L"), rgb])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield _encoded(rgb, "TIFF", icc_profile=profile.replace(b"sRGB", b"else"))
    yield _encoded(rgb, "JPEG", icc_profile=profile.replace(b"sRGB", b"else"))


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("latin-1")  # what is no JSON never reaches the door as an object
