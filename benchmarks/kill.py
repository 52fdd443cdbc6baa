"""Kill the server again and again while edits come in over HTTP: what was acknowledged must be there, to the pixel.

    python benchmarks/kill.py [--edits 400] [--kills 12] [--seed 0] [--postgres]

A second project gets the same edits, without a server, and is never killed. After each kill -9 the database is checked
and the label map, the provenance and the log are compared. An edit that was under way when the process died may have
reached the disk or not; the revision says which, and half of one is a failure.
"""

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.postgres import Cluster, Places
from textseg import rle
from textseg.labelmap import read_index_png
from textseg.project import Project, Region
from textseg.project.place import Place
from textseg.vocabulary import Vocabulary

SIZE = (640, 480)
SERVER = """
import sys
import gradio as gr
from textseg.project import Project
from textseg.web.api.project import ProjectApi, add_project
with gr.Blocks(analytics_enabled=False) as blocks:
    add_project(ProjectApi(Project(sys.argv[1]), None))
blocks.launch(server_port=int(sys.argv[2]), quiet=True, run_history=False)
"""


class Server:
    """The project's endpoints in a process of their own."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.start()

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-c", SERVER, str(self.place), str(port)]
        environment = os.environ | {"TEXTSEG_FILES": str(self.place.folder)}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # A connection that lay idle is closed by the server after five seconds, at times just as it is used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}/gradio_api/", timeout=60, limits=limits)
        while True:
            try:
                if self.http.get("info").is_success:
                    return
            except httpx.TransportError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("the server ended while it started")
            time.sleep(0.1)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, name: str, *data: Any) -> list[Any]:
        """What the named endpoint answers; raises httpx.TransportError when the server goes away meanwhile."""
        event = self.http.post(f"call/{name}", json={"data": data}).raise_for_status().json()["event_id"]
        lines = self.http.get(f"call/{name}/{event}").raise_for_status().text.splitlines()
        for kind, answer in zip(lines, lines[1:], strict=False):
            if kind == "event: complete":
                return json.loads(answer.removeprefix("data: "))
        raise SystemExit(f"/{name} answered: {' '.join(lines)[:500]}")

    def edit(self, revision: int, operation: Mapping[str, Any]) -> int:
        """The revision after the edit, once it is acknowledged."""
        return self.ask("edit", "p", "one.png", revision, operation)[0]["revision"]


def random_edit(chance: random.Random) -> dict[str, Any]:
    """Any gesture of the contract, somewhere in the photo."""
    point = lambda: [chance.uniform(0, SIZE[0]), chance.uniform(0, SIZE[1])]  # noqa: E731
    kind = chance.choice(["brush"] * 5 + ["polygon", "fill", "region", "relabel", "accept", "undo", "undo", "redo"])
    one = {"type": kind, "class": chance.randint(0, 3)}
    if kind == "brush":
        return one | {"radius": chance.uniform(1, 40), "points": [point() for _ in range(chance.randint(1, 12))]}
    if kind == "polygon":
        return one | {"points": [point() for _ in range(chance.randint(3, 8))]}
    if kind == "fill":
        return one | {"point": point()}
    if kind == "region":
        y, x = np.ogrid[: SIZE[1], : SIZE[0]]
        (cx, cy), radius = point(), chance.uniform(5, 120)
        return one | {"rle": rle.encode((x - cx) ** 2 + (y - cy) ** 2 < radius**2)}
    if kind == "relabel":
        return {"type": kind, "from": chance.randint(0, 3), "to": chance.randint(0, 3)}
    if kind == "accept":
        return {"type": kind, "above": chance.random()}
    return {"type": kind}


def compare(place: Place, twin: Project) -> None:
    """Exit with a sentence where the killed project differs from the twin."""
    if place.url is None:
        with sqlite3.connect(place.folder / "project.sqlite") as connection:
            state = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if state != "ok":
            raise SystemExit(f"the database is damaged: {state}")
    project = Project(place)
    (ids, revision), (expected, known) = project.label_map(1), twin.label_map(1)
    if revision != known or not np.array_equal(ids, expected):
        raise SystemExit(f"revision {revision} and {known}: {int((ids != expected).sum())} pixels differ")
    kinds = []
    for one in (project, twin):
        sources, rows = one.provenance(1)
        names = np.array(["", *(rows[s].kind if s in rows else "" for s in range(1, int(sources.max()) + 1))])
        kinds.append(names[sources])
    if not np.array_equal(*kinds):
        raise SystemExit("who made which pixels differs")
    steps = [[(s["revision"], s["type"], s["changed_pixels"]) for s in one.history(1)] for one in (project, twin)]
    if steps[0] != steps[1]:
        raise SystemExit("the logs differ")
    project.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=400)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", action="store_true", help="in a PostgreSQL server of its own, not in a file")
    args = parser.parse_args()
    chance, kill_chance = random.Random(args.seed), random.Random(args.seed + 1)
    with tempfile.TemporaryDirectory() as here, ExitStack() as stack:
        folder, cluster = Path(here), None
        if args.postgres:
            cluster = Cluster()
            stack.callback(cluster.stop)
        places = Places("postgres" if cluster else "sqlite", folder, cluster)
        made = {name: places(name) for name in ("p", "twin")}
        noise = np.random.default_rng(args.seed).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        Image.fromarray(noise).save(folder / "one.png")
        for place in made.values():
            project = Project.create(place, Vocabulary.parse("cat, sofa, wall"))
            project.add([folder / "one.png"])
            squares = 1 + (np.arange(SIZE[1]) // 60)[:, None] * 11 + np.arange(SIZE[0]) // 60
            regions = [Region(1 + k % 3, (k % 10) / 10) for k in range(int(squares.max()))]
            project.put_model_labels(1, squares, regions, head="model")
            project.close()
        twin = Project(made["twin"])
        server = Server(made["p"])
        began, done, killed, unacknowledged, kept = time.perf_counter(), 0, 0, 0, 0
        revision = twin.photo(1).revision
        while done < args.edits:
            timer = None
            if killed < args.kills:
                # At any moment of an edit: on the wire, in the transaction, before or after the answer.
                timer = threading.Timer(kill_chance.uniform(0.0, 1.5), server.kill)
                timer.start()
            batch = args.edits if timer else args.edits - done
            for _ in range(batch):
                operation = random_edit(chance)
                try:
                    answered = server.edit(revision, operation)
                except httpx.TransportError:
                    if timer is None:
                        raise
                    unacknowledged += 1
                    break
                done += 1
                mine = twin.edit(1, twin.photo(1).revision, operation)
                if answered != mine.revision:
                    raise SystemExit(f"acknowledged revision {answered}, expected {mine.revision}")
                revision = answered
                if done >= args.edits and timer is None:
                    break
            if timer is not None:
                timer.join()
                server.process.wait()
                killed += 1
                project = Project(made["p"])
                with project.database.writing():
                    pass  # what the killed process had begun has ended, one way or the other
                now = project.label_map(1)[1]
                project.close()
                if now == revision + 1:  # the edit under way had reached the disk
                    revision = twin.edit(1, revision, operation).revision
                    kept += 1
                compare(made["p"], twin)
                server.start()
        file, at = server.ask("label_map", "p", "one.png")
        if at != revision or not np.array_equal(read_index_png(file["path"]), twin.label_map(1)[0]):
            raise SystemExit("the last label map over HTTP differs")
        server.kill()
        compare(made["p"], twin)
    print(
        f"{done} acknowledged edits, {killed} kills, {unacknowledged} edits under way when the process died "
        f"({kept} of them were on disk, whole): nothing lost, label maps, provenance and logs equal; "
        f"{time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
