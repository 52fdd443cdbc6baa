"""Work in the background: what a page is told of it at each moment, and that nothing of it is lost."""

import threading
from types import SimpleNamespace

import pytest

from textseg.errors import Cancelled, PhotoError, ProjectError
from textseg.web.rpc import jobs as module
from textseg.web.rpc.jobs import Job, Jobs


@pytest.fixture
def jobs():
    jobs = Jobs()
    yield jobs
    jobs.close(60)


def ended(jobs, project="p"):
    jobs._jobs[project]._thread.join(60)
    return jobs.poll(project)


def test_a_job_tells_how_far_it_is_and_what_came_of_it(jobs):
    halfway, go_on = threading.Event(), threading.Event()

    def work(progress):
        progress(3, 6)
        halfway.set()
        go_on.wait(60)
        return {"added": 6}

    assert jobs.start("p", "Adding photos", work)["running"]
    assert halfway.wait(60)
    told = jobs.poll("p")
    assert (told["what"], told["state"], told["done"], told["all"]) == ("Adding photos", "running", 3, 6)
    assert told["report"] is None
    go_on.set()
    told = ended(jobs)
    assert told["state"] == "done" and not told["running"] and told["report"] == {"added": 6}
    assert jobs.poll("p")["seconds"] == told["seconds"]


def test_time_left_follows_from_what_is_done(jobs, monkeypatch):
    now = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    reached, go_on = threading.Event(), threading.Event()

    def work(progress):
        progress(1, 4)
        reached.set()
        go_on.wait(60)
        return {}

    jobs.start("p", "Labelling", work)
    assert reached.wait(60)
    now = 30.0
    assert (jobs.poll("p")["seconds"], jobs.poll("p")["left"]) == (30, 90)
    go_on.set()
    assert ended(jobs)["left"] is None


def test_a_second_job_of_a_project_is_refused_and_one_of_another_project_is_not(jobs):
    go_on = threading.Event()
    jobs.start("p", "Labelling photos", lambda progress: go_on.wait(60) and {})
    with pytest.raises(ProjectError, match="Labelling photos is still going on"):
        jobs.start("p", "Adding photos", lambda progress: {})
    jobs.start("q", "Adding photos", lambda progress: {"added": 1})
    assert ended(jobs, "q")["report"] == {"added": 1} and jobs.poll("p")["running"]
    go_on.set()
    assert ended(jobs)["state"] == "done"
    jobs.start("p", "Adding photos", lambda progress: {"added": 2})
    assert ended(jobs)["report"] == {"added": 2}


def test_a_stopped_job_says_what_stays(jobs):
    def endless(progress):
        while True:
            progress(1, 2)

    def photos(progress):
        while not progress.stopped():
            progress(1, 1)
        raise Cancelled("Stopped; 1 of 2 photos was added, and stays.")

    for work, sentence in (
        (endless, "Stopped; nothing was changed."),
        (photos, "Stopped; 1 of 2 photos was added, and stays."),
    ):
        jobs.start("p", "Work", work)
        jobs.cancel("p")
        told = ended(jobs)
        assert told["state"] == "cancelled" and told["problem"] == sentence


def test_a_job_can_be_stopped_from_its_first_step(jobs, monkeypatch):
    running = threading.Event()

    class Quick(Job):
        def __init__(self, what, work):
            super().__init__(what, work)
            assert running.wait(60)  # it is at work before it is listed

    def work(progress):
        running.set()
        jobs.cancel("p")
        progress(0, 1)
        return {}

    monkeypatch.setattr(module, "Job", Quick)
    jobs.start("p", "Importing", work)
    assert ended(jobs)["state"] == "cancelled"


def test_what_is_done_before_it_could_be_stopped_is_done(jobs):
    stopped = threading.Event()

    def work(progress):
        stopped.wait(60)
        progress(2, 2)
        return {"added": 2}

    jobs.start("p", "Adding photos", work)
    jobs.cancel("p")
    stopped.set()
    assert ended(jobs)["state"] == "done"


@pytest.mark.parametrize(
    ("error", "state", "sentence"),
    [
        (PhotoError("one.png is torn."), "failed", "one.png is torn"),
        (OSError(28, "No space left on device"), "failed", "free some space"),
        (ZeroDivisionError(), "crashed", "ended unexpectedly; the server's log says why"),
        (MemoryError(), "crashed", "ended unexpectedly"),
    ],
)
def test_a_job_that_fails_or_crashes_keeps_its_sentence(jobs, error, state, sentence):
    def work(progress):
        raise error

    jobs.start("p", "Importing", work)
    for told in (ended(jobs), jobs.poll("p")):
        assert told["state"] == state and sentence in told["problem"] and told["report"] is None


def test_closing_stops_all_and_may_be_done_twice(jobs):
    def endless(progress):
        while True:
            progress(1, 2)

    for project in ("p", "q"):
        jobs.start(project, "Work", endless)
    jobs.close(60)
    jobs.close(60)
    assert [jobs.poll(project)["state"] for project in ("p", "q")] == ["cancelled"] * 2
    assert jobs.cancel("nobody")["state"] == "idle"
