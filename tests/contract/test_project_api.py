"""The project over HTTP, as another program uses it, and what is left of it when the server is killed."""

import os
import random
import signal
import socket

import numpy as np
import pytest
from gradio_client import Client

from tests import forked
from tests.tiny import noise_photo
from textseg.labelmap import read_index_png
from textseg.project import Project
from textseg.vocabulary import Vocabulary

SERVER = """
import sys
import gradio as gr
from textseg.project import Project
from textseg.web.api.project import ProjectApi, add_project
with gr.Blocks(analytics_enabled=False) as blocks:
    add_project(ProjectApi(Project(sys.argv[1]), None))
blocks.launch(server_port=int(sys.argv[2]), quiet=True, run_history=False, prevent_thread_lock=True)
print("ready", flush=True)
blocks.block_thread()
"""


class Server:
    """The project's endpoints in a process of their own, on a free port of this machine."""

    def __init__(self, project: Project, twin: Project) -> None:
        self.project, self.twin = project, twin
        self.start()

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = os.environ | {"TEXTSEG_FILES": str(self.project.folder)}
        self.process = forked.start("-c", SERVER, self.project.place, self.port, env=environment)
        assert "ready\n" in iter(self.process.stdout.readline, ""), "the server ended while it started"
        self.client = Client(f"http://127.0.0.1:{self.port}", verbose=False, analytics_enabled=False)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def edit(self, revision: int, photo: str = "one.png", **operation):
        return self.client.predict("p", photo, revision, operation, api_name="/edit")


@pytest.fixture(scope="module")
def server(tmp_path_factory, all_places):
    folder = tmp_path_factory.mktemp("api")
    noise_photo(300, 200).save(folder / "one.png")
    noise_photo(300, 200, seed=2).save(folder / "two.png")  # for the test that kills the server
    made = []
    for name in ("p", "twin"):
        made.append(Project.create(all_places(name), Vocabulary.parse("cat, sofa, wall")))
        made[-1].add([folder / "one.png", folder / "two.png"])
    running = Server(*made)
    yield running
    running.kill()
    for project in made:
        project.close()


def test_an_edit_answers_with_a_patch_of_the_label_map(server):
    revision = server.client.predict("p", "one.png", api_name="/label_map")[1]
    answer = server.edit(revision, type="brush", radius=12, points=[[40, 40], [90, 60]], **{"class": 2})
    assert answer["revision"] == revision + 1 and answer["changed_pixels"] > 0
    x0, y0, x1, y1 = answer["patch"]["box"]
    import base64

    patch = read_index_png(base64.b64decode(answer["patch"]["png"].split(",")[1]))
    file, now = server.client.predict("p", "one.png", api_name="/label_map")
    assert now == revision + 1 and np.array_equal(read_index_png(file)[y0:y1, x0:x1], patch)


def test_a_stale_edit_is_refused_by_name(server):
    with pytest.raises(Exception, match="stale revision"):
        server.edit(10_000, type="undo")


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        ({"type": "brush", "class": 99, "radius": 3, "points": [[1, 1]]}, "no class 99"),
        ({"type": "brush", "class": 1, "radius": 3, "points": [[None, 1]]}, "not a number|two numbers"),
        ({"type": "brush", "class": 1, "radius": 3, "points": [[1, 1]] * 30_000}, "limit is 20000"),
        ({"type": "region", "class": 1, "rle": {"size": [200, 300], "counts": "forged"}}, "run-length code"),
        ({"type": "region", "class": 1, "rle": {"size": [10**9, 10**9], "counts": [1]}}, "the photo"),
        ({"type": "?"}, "no gesture"),
    ],
)
def test_a_gesture_that_makes_no_sense_is_one_sentence(server, operation, says):
    before, revision = server.client.predict("p", "one.png", api_name="/label_map")
    with pytest.raises(Exception, match=says):
        server.edit(revision, **operation)
    after, now = server.client.predict("p", "one.png", api_name="/label_map")
    assert now == revision and np.array_equal(read_index_png(after), read_index_png(before))


@pytest.mark.parametrize(
    "forged", [("x", {"type": "undo"}), (None, {"type": "undo"}), (0, "undo"), (0, [1]), (0, None)]
)
def test_a_forged_call_is_one_sentence(server, forged):
    with pytest.raises(Exception) as refusal:
        server.client.predict("p", "one.png", *forged, api_name="/edit")
    assert "Traceback" not in str(refusal.value) and "\n" not in str(refusal.value)


def test_another_projects_name_is_refused(server):
    with pytest.raises(Exception, match="not served here"):
        server.client.predict("q", api_name="/status")


def test_history_and_status_tell_what_was_done(server):
    history = server.client.predict("p", "one.png", api_name="/history")
    status = server.client.predict("p", api_name="/status")
    assert len(history) == status["revisions"]["one.png"] and status["photos"]["total"] == 2


def test_no_acknowledged_edit_is_lost_when_the_server_is_killed(server):
    chance = random.Random(0)
    acknowledged = []
    revision = 0
    twin = server.twin
    for _ in range(2):
        for _ in range(15):
            operation = chance.choice(
                [
                    {"type": "brush", "radius": chance.randint(2, 30), "class": chance.randint(0, 3),
                     "points": [[chance.randint(0, 300), chance.randint(0, 200)] for _ in range(3)]},
                    {"type": "undo"},
                    {"type": "redo"},
                ]
            )  # fmt: skip
            answer = server.edit(revision, "two.png", **operation)
            revision = answer["revision"]
            acknowledged.append(operation)
        # One more is under way when the process dies; it may or may not have reached the disk.
        server.client.submit("p", "two.png", revision, {"type": "relabel", "from": 1, "to": 2}, api_name="/edit")
        server.kill()
        with server.project.database.writing():
            pass  # what the killed process had begun has ended, one way or the other
        server.start()
        for operation in acknowledged:
            twin.edit("two.png", twin.photo("two.png").revision, operation)
        acknowledged.clear()
        file, now = server.client.predict("p", "two.png", api_name="/label_map")
        if now == revision + 1:
            twin.edit("two.png", twin.photo("two.png").revision, {"type": "relabel", "from": 1, "to": 2})
        else:
            assert now == revision
        revision = now
        assert np.array_equal(read_index_png(file), twin.label_map("two.png")[0])
