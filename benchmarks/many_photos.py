"""What a project of many photos costs: building it, listing it, searching it, and telling how much is labelled.

    python benchmarks/many_photos.py [--photos 10000] [--classes 15] [--unlabelled] [--keep DIR]

The photos are small, their rows and label maps real: what is measured reads rows and counts, not pixels. Each time is
the best of three in milliseconds, of the same project before and after every photo has a label map (`--unlabelled`
leaves that out, as it takes minutes). `--keep DIR` leaves the project there, for the page.
"""

import argparse
import hashlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from textseg.project import Project
from textseg.project.schema import StoredPhoto
from textseg.vocabulary import Vocabulary

SIZE = (48, 32)
CLASSES_A_PHOTO = 6


def build(folder: Path, photos: int, classes: int) -> Project:
    """A project of so many photos without labels, written in one go, without the checks of `Project.add`."""
    words = ", ".join(f"class {k}" for k in range(1, classes + 1))
    project = Project.create(folder, Vocabulary.parse(words))
    rng = np.random.default_rng(0)
    rows = []
    for number in range(photos):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (4, 6, 3), np.uint8)).resize(SIZE).save(buffer, "PNG")
        sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
        (folder / "photos" / f"{sha256}.png").write_bytes(buffer.getvalue())
        name = f"p{number // 1000}_{number % 1000:04d}.png"
        rows.append(StoredPhoto(sha256=sha256, name=name, suffix=".png", width=SIZE[0], height=SIZE[1]))
    with project.database.writing() as session:
        session.add_all(rows)
    return project


def label(project: Project, classes: int) -> None:
    """Give every photo a label map of some of the classes, half of them a person's."""
    rng = np.random.default_rng(1)
    with project.taking_in() as intake:
        for number, entry in enumerate(project.queue()):
            some = rng.choice(classes, min(CLASSES_A_PHOTO, classes), replace=False) + 1
            ids = rng.choice(some, (4, 6)).repeat(8, 0).repeat(8, 1).astype(np.uint16)
            kind = "person" if number % 2 else "model"
            intake.put_labels(entry.id, ids, "theirs", kind, {"type": "import"})  # type: ignore[arg-type]


def best(question: Callable[[], object], times: int = 3) -> float:
    """Milliseconds."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        question()
        found.append(1000 * (time.perf_counter() - begun))
    return round(min(found), 1)


def measure(project: Project) -> dict[str, float]:
    """Milliseconds of each question, and `status` as a multiple of `photos`."""
    middle = project.queue()[len(project.queue()) // 2]
    times = {
        "photos": best(project.photos),
        "queue": best(project.queue),
        "search": best(lambda: project.queue(search=middle.name)),
        "one state": best(lambda: project.queue(state="done")),
        "status": best(project.status),
        "corrections counted": best(project.correction_counts),
        "shares of one photo": best(lambda: project.shares(middle.id)),
        "a stroke": best(lambda: stroke(project, middle.id)),
    }
    return times | {"status / photos": round(times["status"] / times["photos"], 2)}


def stroke(project: Project, photo: int) -> None:
    revision = project.photo(photo).revision
    points = [[4, 4], [20 + revision % 20, 20]]
    project.edit(photo, revision, {"type": "brush", "class": 1 + revision % 2, "radius": 3, "points": points})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--classes", type=int, default=15)
    parser.add_argument("--unlabelled", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        project = build(args.keep or Path(scratch) / "project", args.photos, args.classes)
        told: dict[str, object] = {"photos": args.photos, "built in s": round(time.perf_counter() - begun, 1)}
        told["without labels"] = measure(project)
        if not args.unlabelled:
            begun = time.perf_counter()
            label(project, args.classes)
            told["labelled in s"] = round(time.perf_counter() - begun, 1)
            told["every photo labelled"] = measure(project)
        begun = time.perf_counter()
        project.close()
        Project(project.folder).close()
        told["opened in ms"] = round(1000 * (time.perf_counter() - begun), 1)
        print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
