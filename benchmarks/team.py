"""Many people draw on one project at once, in a folder and in PostgreSQL: errors, lost edits, how long a save takes.

    python benchmarks/team.py [--people 20] [--minutes 2] [--pause 1.0] [--photos 40] [--seed 0]

Each person is a client of the served app of their own: signed in, on one photo after the other, a stroke every `pause`
seconds on average, each on the revision that the one before answered. A tenth of the strokes go to a photo on which
somebody else is, where a stale revision is refused and done again on the newer one. Afterwards the history of every
photo must hold each acknowledged stroke once, by whom it was. One person alone draws for a quarter of the time first.
"""

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from tests.postgres import Cluster, Places
from textseg.project import Project
from textseg.project.place import Place
from textseg.users import Users
from textseg.vocabulary import Vocabulary

SIZE = (1280, 960)
SERVER = """
import os, sys
from tests.browser.conftest import serving_tiny
with serving_tiny(project=sys.argv[1], users=sys.argv[2]) as url:
    print("at", url, flush=True)
    sys.stdin.read()
"""


class Person(threading.Thread):
    """One annotator: draws until `until`, and notes how long each save took and what was acknowledged."""

    def __init__(self, url: str, project: str, name: str, photos: list[int], pause: float, until: float, seed: int):
        super().__init__(name=name, daemon=True)
        coded = b64encode(f"{name}:correct horse".encode()).decode()
        self.http = httpx.Client(base_url=f"{url}gradio_api/", timeout=60, headers={"Authorization": f"Basic {coded}"})
        self.project, self.photos, self.pause, self.until = project, photos, pause, until
        self.chance = random.Random(seed)
        self.took: list[float] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.stale = 0
        self.errors: list[str] = []

    def run(self) -> None:
        revisions: dict[int, int] = {}
        while time.monotonic() < self.until:
            mine = self.chance.random() < 0.9
            photo = self.photos[0] if mine else self.chance.choice(self.photos)
            time.sleep(self.chance.expovariate(1 / self.pause))
            try:
                if photo not in revisions:
                    revisions[photo] = self.ask("label_map", self.project, str(photo))[1]
                began = time.monotonic()
                answer = self.ask("edit", self.project, str(photo), revisions[photo], self.stroke())[0]
                self.took.append(time.monotonic() - began)
                if answer["changed_pixels"] or answer["revision"] != revisions[photo]:
                    self.acknowledged.append((photo, answer["revision"]))
                revisions[photo] = answer["revision"]
            except RefusedError as error:
                if "stale revision" in str(error):
                    self.stale += 1
                    del revisions[photo]
                else:
                    self.errors.append(str(error))
            except httpx.HTTPError as error:
                self.errors.append(f"{type(error).__name__} {error}")

    def stroke(self) -> dict:
        x, y = self.chance.uniform(0, SIZE[0]), self.chance.uniform(0, SIZE[1])
        points = [[x + self.chance.gauss(0, 60), y + self.chance.gauss(0, 60)] for _ in range(12)]
        return {
            "type": "brush",
            "class": self.chance.randint(0, 3),
            "radius": self.chance.uniform(3, 25),
            "points": points,
        }

    def ask(self, name: str, *data: object) -> list:
        event = self.http.post(f"call/{name}", json={"data": data}).raise_for_status().json()["event_id"]
        lines = self.http.get(f"call/{name}/{event}").raise_for_status().text.splitlines()
        for kind, answer in zip(lines, lines[1:], strict=False):
            if kind == "event: complete":
                return json.loads(answer.removeprefix("data: "))
        raise RefusedError(" ".join(lines))


class RefusedError(Exception):
    """The server answered with a sentence."""


def measure(place: Place, args: argparse.Namespace) -> dict[str, float]:
    """Draw on a new project; -> what came of it. Exits with a sentence where an edit was lost."""
    folder = place.folder.parent / f"{place.folder.name}-of-the-team"
    folder.mkdir()
    project = Project.create(place, Vocabulary.parse("cat, sofa, wall"))
    for number in range(args.photos):
        noise = np.random.default_rng(number).integers(0, 255, (SIZE[1] // 16, SIZE[0] // 16, 3), np.uint8)
        Image.fromarray(noise).resize(SIZE).save(folder / f"{number}.jpg")
    ids = project.add([folder]).ids
    users = Users.make(folder / "users.json")
    names = [f"person{number}" for number in range(args.people)]
    for name in names:
        users.add(name, "label", "correct horse")
    environment = {"TEXTSEG_FILES": str(place.folder)} if place.url is not None else {}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(place), str(users.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env={**__import__("os").environ, **environment},
    )  # fmt: skip
    assert process.stdout is not None
    url = next(line.split()[1] for line in process.stdout if line.startswith("at "))
    try:
        alone = draw(url, project.name, names[:1], ids, args.pause, args.minutes * 15, args.seed)
        together = draw(url, project.name, names, ids, args.pause, args.minutes * 60, args.seed + 1)
    finally:
        process.terminate()
        process.wait()
    wanted = [(*one, person.name) for person in [*alone, *together] for one in person.acknowledged]
    kept = {(photo, step["revision"]): step.get("by") for photo in ids for step in project.history(photo)}
    lost = [one for one in wanted if kept.get(one[:2]) != one[2]]
    project.close()
    if lost or len(wanted) != len(kept):
        raise SystemExit(f"{len(lost)} of {len(wanted)} acknowledged edits are not in the history of {len(kept)}")
    errors = [error for person in [*alone, *together] for error in person.errors]
    for error in sorted(set(errors))[:5]:
        print("   ", error[:200])
    took = sorted(one for person in together for one in person.took)
    one = sorted(one for person in alone for one in person.took)
    return {
        "edits": len(wanted), "errors": len(errors), "stale": sum(person.stale for person in together),
        "alone_p50": statistics.median(one), "alone_p99": one[int(0.99 * (len(one) - 1))],
        "p50": statistics.median(took), "p99": took[int(0.99 * (len(took) - 1))],
    }  # fmt: skip


def draw(
    url: str, project: str, names: list[str], ids: list[int], pause: float, seconds: float, seed: int
) -> list[Person]:
    until = time.monotonic() + seconds
    people = [
        Person(url, project, name, ids[k:] + ids[:k], pause, until, 1000 * seed + k) for k, name in enumerate(names)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    return people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between one's strokes, on average")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {args.people} people for {args.minutes:g} minutes")
    print(f"{'':10} {'edits':>7} {'stale':>6} {'errors':>6} {'lost':>5}   one: median, 99 %     all: median, 99 %")
    with tempfile.TemporaryDirectory() as here, ExitStack() as stack:
        for kind in ("sqlite", "postgres"):
            cluster = None
            if kind == "postgres":
                cluster = Cluster(fsync="on", full_page_writes="on")
                stack.callback(cluster.stop)
            (Path(here) / kind).mkdir()
            found = measure(Places(kind, Path(here) / kind, cluster)("p"), args)
            times = [f"{1000 * found[name]:6.0f} ms" for name in ("alone_p50", "alone_p99", "p50", "p99")]
            print(
                f"{kind:10} {found['edits']:7} {found['stale']:6} {found['errors']:6} {0:5}   "
                f"{times[0]} {times[1]}   {times[2]} {times[3]}"
            )


if __name__ == "__main__":
    main()
