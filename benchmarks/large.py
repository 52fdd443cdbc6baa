"""A huge photo from beginning to end in one process: opened, labelled, seen, corrected, exported; the memory it took.

    python benchmarks/large.py [--side 30000] [--downscale 8] [--compress none|jpeg|deflate] [--keep DIR]

The photo is made first, by a process of its own: a tiled TIFF of `--side` x `--side` pixels of scikit-image's sample
photos, enlarged and laid side by side with noise over them, so that no two tiles are alike. After each step its time,
the CPU's share of it and the most memory that the process ever held are printed (ru_maxrss, which counts what torch
and GDAL hold too).
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from textseg import formats, load_model, pyramids
from textseg.bulk import large
from textseg.bulk.answerer import Question
from textseg.bulk.run import Report
from textseg.bulk.targets import IntoProject
from textseg.project import Project
from textseg.project.windows import Window
from textseg.vocabulary import Vocabulary

WORDS = "cat, coffee cup, person, motorcycle, sky, table"
SAMPLES = ("chelsea.png", "coffee.png", "astronaut.png", "motorcycle_left.png", "rocket.jpg")
PATCH, NOISE = 2048, 8
STROKES: tuple[tuple[str, Callable[[int], dict[str, Any]]], ...] = (
    ("a stroke", lambda at: {"type": "brush", "class": 1, "radius": 40, "points": [[at, at], [at + 900, at + 500]]}),
    (
        "a stroke of a quarter of the width",
        lambda at: {"type": "brush", "class": 2, "radius": 20, "points": [[at // 2, at], [at, at + 300]]},
    ),
    ("undo", lambda at: {"type": "undo"}),
)
WHOLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("relabel, all of the photo", {"type": "relabel", "from": 1, "to": 5}),
    ("undo", {"type": "undo"}),
    ("accept, all of the photo", {"type": "accept", "above": 0.6}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=30_000)
    parser.add_argument("--downscale", type=int, default=8)
    parser.add_argument("--compress", choices=["none", "jpeg", "deflate"], default="none")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which stays; a photo that is there is used")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make is not None:
        return make(options.make, options.side, options.compress)
    with tempfile.TemporaryDirectory() as scratch:
        run(options.keep or Path(scratch), options)


def run(folder: Path, options: argparse.Namespace) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    photo = folder / f"large-{options.side}-{options.compress}.tif"
    if not photo.exists():
        subprocess.run(
            [sys.executable, __file__, "--make", photo, "--side", str(options.side), "--compress", options.compress],
            check=True,
        )
    print(f"{photo.name}: {options.side} x {options.side} pixels, {photo.stat().st_size / 1e9:.2f} GB on disk")
    print(f"{'step':38} {'seconds':>8} {'of CPU':>8} {'peak MB':>8}")
    step("started", lambda: None)
    with step("opened, seen whole", partial(seen_whole, photo)):
        pass
    place = Path(tempfile.mkdtemp(dir=folder, prefix="project-"))
    project = Project.create(place / "p", Vocabulary.parse(WORDS))
    step("added (hashed, linked, levels made)", lambda: project.add([photo]))
    model = step("model loaded", lambda: load_model("lite"))
    words, class_ids = project.vocabulary()
    question = Question(words, form="regions")
    [row] = project.photos()
    step(
        f"labelled by tiles, at 1/{options.downscale}",
        lambda: label(project, photo, model, question, class_ids, options.downscale),
    )
    whole = 0, 0, row.width, row.height
    step("label map seen whole (1 in 16)", lambda: project.label_windows(1, [Window(whole, 16)]))
    middle = options.side // 2
    near = middle - 1024, middle - 1024, middle + 1024, middle + 1024
    step("window of 2048 x 2048: photo", lambda: project.pyramid(1).read(near))
    step("window of 2048 x 2048: label map", lambda: project.label_windows(1, [Window(near, 1)]))
    for name, gesture in STROKES:
        step(name, partial(edit, project, gesture(middle)))
    for name in ("geotiff", "png"):
        step(f"exported as {name}", lambda name=name: formats.export(project, name, place / name))  # type: ignore[misc]
    check(project, place, row.width)
    for name, whole_gesture in WHOLE:
        step(name, partial(edit, project, whole_gesture))
    project.close()


def seen_whole(photo: Path) -> Any:
    pyramid = pyramids.open(photo)
    pyramid.whole(1024)
    return pyramid


def label(project: Project, photo: Path, model: Any, question: Question, ids: list[int], scale: int) -> None:
    [found], report = large.parted([large.Found(photo, photo.name)])[1], Report()
    large.label([found], IntoProject(project, ids), model, question, report, scale, tell=print)
    assert report.labelled, report


def edit(project: Project, gesture: dict[str, Any]) -> None:
    project.edit(1, project.photo(1).revision, gesture)


def check(project: Project, place: Path, width: int) -> None:
    """The exports hold the project's pixels: a band of rows of each is compared."""
    import rasterio
    from rasterio.windows import Window as Cut

    top = width // 2
    ids = project.label_windows(1, [Window((0, top, width, top + 512), 1)])[0][0]
    for path in (*(place / "geotiff").rglob("labels/*.tif"), *(place / "png").rglob("labels/*.png")):
        with rasterio.open(path) as file:
            assert file.shape == (width, width), path
            assert np.array_equal(file.read(1, window=Cut(0, top, width, 512)), ids), path
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, its pixels are those of the project")


def step(name: str, work: Callable[[], Any]) -> Any:
    began, worked = time.perf_counter(), time.process_time()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    taken, worked = time.perf_counter() - began, time.process_time() - worked
    print(f"{name:38} {taken:8.1f} {worked:8.1f} {peak / 1e6:8.0f}", flush=True)
    return result


def make(path: Path, side: int, compress: str) -> None:
    """Write the photo by tiles."""
    import rasterio
    import skimage
    from rasterio.windows import Window as Cut

    folder = Path(skimage.__file__).parent / "data"
    photos = [Image.open(folder / name).convert("RGB") for name in SAMPLES]
    kind: dict[str, Any] = {"compress": compress}
    if compress == "jpeg":
        kind |= {"photometric": "ycbcr", "jpeg_quality": 85}
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8", tiled=True, blockxsize=512,
        blockysize=512, interleave="pixel", bigtiff="if_safer", **kind,
    ) as file:  # fmt: skip
        for top in range(0, side, PATCH):
            for left in range(0, side, PATCH):
                seed = int(hashlib.sha256(f"{top},{left}".encode()).hexdigest()[:8], 16)
                shown = np.asarray(photos[seed % len(photos)].resize((PATCH, PATCH)), np.int16)
                noise = np.random.default_rng(seed).integers(-NOISE, NOISE + 1, (PATCH, PATCH, 1), np.int16)
                pixels = np.clip(shown + noise, 0, 255).astype(np.uint8)[: side - top, : side - left]
                cut = Cut(left, top, pixels.shape[1], pixels.shape[0])
                file.write(np.moveaxis(pixels, 2, 0), window=cut)


if __name__ == "__main__":
    main()
