"""Many photos: steps that overlap, processes that share the work, and what becomes of those that die."""

import signal
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests import forked, tiny_bulk
from tests.tiny_bulk import QUESTION, answerer, labelled, write_photos
from textseg.bulk import processes, run
from textseg.bulk.files import LabelFolder
from textseg.bulk.here import Here, batches
from textseg.bulk.targets import IntoFolder
from textseg.bulk.urls import Sink, SinkError
from textseg.errors import TextsegError
from textseg.folders import gather
from textseg.overlap import overlapped

ROOT = Path(__file__).parents[2]
NAMES = ("a", "b", "c", "d", "e", "f")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def here(photos: Path, out: Path, **more) -> run.Report:
    found = gather([photos]).photos
    return run.label(found, IntoFolder(LabelFolder(out, found), QUESTION), Here(answerer()), **more)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(photos, what one process makes of them)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_photos(folder / "photos", *NAMES)
    assert len(here(folder / "photos", folder / "out").labelled) == len(NAMES)
    return folder / "photos", contents(folder / "out")


def test_steps_overlap_in_order_and_hold_no_more_than_they_may():
    both, asked = threading.Barrier(2, timeout=30), []

    def items():
        for n in range(6):
            asked.append(n)
            yield n

    def first(n):
        if n:
            both.wait()  # while the one before is in the second step
        return n

    def second(n):
        if n < 5:
            both.wait()
        return 10 * n

    found = []
    for future in overlapped(items(), [first, second], ahead=2):
        found.append(future.result())
        assert len(asked) <= len(found) + 2
    assert found == [0, 10, 20, 30, 40, 50]


def test_an_error_in_a_step_is_its_items_own():
    futures = list(overlapped([1, 0, 2], [lambda n: 1 / n, lambda x: x + 1]))
    assert [f.result() for f in (futures[0], futures[2])] == [2, 1.5]
    with pytest.raises(ZeroDivisionError):
        futures[1].result()


def test_a_consumer_that_leaves_ends_the_steps():
    steps = overlapped(iter(range(1000)), [lambda n: n])
    assert next(steps).result() == 0
    before = threading.active_count()
    steps.close()
    assert threading.active_count() < before


def test_batches_are_as_long_as_asked_and_the_last_one_is_what_is_left():
    assert list(batches(iter("abcde"), 2)) == [["a", "b"], ["c", "d"], ["e"]]


def test_processes_answer_byte_for_byte_as_one_does(undisturbed, tmp_path):
    photos, expected = undisturbed
    report = labelled(photos, tmp_path, answerer)
    assert sorted(p.path.stem for p in report.labelled) == sorted(NAMES) and not report.failed
    assert contents(tmp_path) == expected
    assert set(report.seconds) == {"decode", "encode", "regions", "write"} and report.slowest.endswith("%")


def test_a_photo_that_ends_its_process_is_tried_once_more_alone_and_then_told(undisturbed, tmp_path):
    write_photos(tmp_path / "photos", *NAMES[:3], "deadly", "risky")
    report = labelled(tmp_path / "photos", tmp_path / "out", partial(tiny_bulk.mortal, tmp_path))
    assert sorted(p.path.stem for p in report.labelled) == ["a", "b", "c", "risky"]
    [(photo, reason)] = report.failed
    assert photo.name == "deadly.png" and "twice (by SIGKILL)" in reason
    made = contents(tmp_path / "out")
    assert {name: undisturbed[1][name] for name in made if name[0] in "abc"}.items() <= made.items()


def test_an_error_that_is_no_photos_own_ends_its_process_and_never_hangs_the_run(tmp_path):
    write_photos(tmp_path / "photos", *NAMES[:2], "odd")
    report = labelled(tmp_path / "photos", tmp_path / "out", tiny_bulk.raising)
    assert sorted(p.path.stem for p in report.labelled) == ["a", "b"]
    assert [photo.name for photo, _ in report.failed] == ["odd.png"]


def test_photos_that_fail_together_are_encoded_one_by_one(undisturbed, tmp_path, monkeypatch):
    photos, expected = undisturbed
    found, made = gather([photos]).photos, answerer()
    made.batch, encode_all = len(NAMES), made.model.encode_all

    def one_at_most(images):
        if len(images) > 1:
            raise MemoryError
        return encode_all(images)

    monkeypatch.setattr(made.model, "encode_all", one_at_most)
    report = run.label(found, IntoFolder(LabelFolder(tmp_path, found), QUESTION), Here(made))
    assert not report.failed and contents(tmp_path) == expected


def test_facts_of_an_earlier_run_never_stand_beside_a_map_that_is_not_theirs(undisturbed, tmp_path, monkeypatch):
    [photo, *_] = found = gather([undisturbed[0]]).photos
    folder = LabelFolder(tmp_path, found)
    folder.put(photo, {".png": b"1", ".json": b"1"})

    def killed(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr("textseg.bulk.files.write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.put(photo, {".png": b"2", ".json": b"2"})
    assert list(contents(tmp_path)) == ["a.png"]


def test_a_worker_that_cannot_begin_says_why(undisturbed, tmp_path):
    with pytest.raises(TextsegError, match="fetch them first"):
        labelled(undisturbed[0], tmp_path / "out", tiny_bulk.without_weights)
    with pytest.raises(TextsegError, match="before they are ready .by SIGKILL.; .* fewer --workers"):
        labelled(undisturbed[0], tmp_path / "out", tiny_bulk.dying)


def test_a_worker_of_another_version_or_with_other_weights_is_refused():
    facts = answerer().facts
    facts.agree(replace(facts, notes=("of its own",)), "node-7")
    with pytest.raises(TextsegError, match=r"node-7 has textseg 0\.0\.1 and this is"):
        facts.agree(replace(facts, version="0.0.1"), "node-7")
    with pytest.raises(TextsegError, match="node-7 has other weights"):
        facts.agree(replace(facts, fingerprint="0"), "node-7")


def test_a_run_that_is_killed_is_gone_on_with_to_the_same_end(undisturbed, tmp_path):
    photos, expected = undisturbed
    process = forked.start("-m", "tests.tiny_bulk", photos, tmp_path, cwd=ROOT)
    while process.poll() is None and not list(tmp_path.glob("*.json")):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    report = labelled(photos, tmp_path, answerer, resume=True)
    assert report.skipped and len(report.labelled) + len(report.skipped) == len(NAMES)
    left = {name: data for name, data in contents(tmp_path).items() if not name.endswith(".partial")}
    assert left == expected


def test_a_person_stops_a_run_between_two_photos(undisturbed, tmp_path):
    seen = []
    report = here(undisturbed[0], tmp_path, progress=lambda r: seen.append(r.done), cancel=lambda: len(seen) > 1)
    assert report.cancelled and 2 <= len(report.labelled) < len(NAMES) and not report.failed


def test_workers_are_as_many_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    memory = type("Memory", (), {"available": 3 * processes.WORKER_BYTES})
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert processes.sensible_count(1000) == 3 and processes.sensible_count(3) == 1
    memory.available = 0
    assert processes.sensible_count(1000) == 1


@pytest.mark.parametrize("place", ["{}", "memory://sink{}"])
def test_facts_of_an_earlier_run_do_not_stand_beside_a_new_map_when_writing_is_cut_short(
    tmp_path: Path, place: str
) -> None:
    sink = Sink(place.format(tmp_path))
    sink.write("a.png", {".png": b"old", ".json": b"{}"})
    sink.write("a.png", {".png": b"new"})
    assert sink._read("a.png") == b"new"
    with pytest.raises(OSError):
        sink._read("a.json")


def test_what_a_service_has_against_labels_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentials(Exception):
        pass

    def refused(*_: object, **__: object) -> None:
        raise NoCredentials("Unable to locate credentials")

    sink = Sink("memory://labels")
    monkeypatch.setattr(sink._fs, "pipe_file", refused)
    monkeypatch.setattr(sink._fs, "cat_file", refused)
    sentence = r"Labels cannot be written to memory://labels \(Unable to locate credentials\)\."
    with pytest.raises(SinkError, match=sentence):
        sink.write("a.png", {".png": b"", ".json": b"{}"})
    assert not sink.has("a.png", QUESTION, answerer().facts)
