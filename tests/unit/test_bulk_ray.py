"""A real Ray of several processes on this machine: the same bytes, an actor that dies, and a sink that holds a part."""

import io
import os
import tarfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests import tiny_bulk
from tests.tiny_bulk import QUESTION, answerer, write_photos
from textseg.bulk import run, urls
from textseg.bulk.files import LabelFolder
from textseg.bulk.here import Here
from textseg.bulk.targets import IntoFolder
from textseg.bulk.urls import Sink
from textseg.errors import PhotoError, TextsegError, VocabularyError
from textseg.folders import gather

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'textseg[ray]'")
from textseg.bulk import ray_engine  # noqa: E402

NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture(scope="module")
def cluster():
    os.environ.pop("RAY_ADDRESS", None)
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (Ray's own name; at its 15 a busy machine starves the workers)
    with ray_engine.Cluster(workers=2, block=2) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(photos, what the local engine makes of them)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_photos(folder / "photos", *NAMES)
    found = gather([folder / "photos"]).photos
    target = IntoFolder(LabelFolder(folder / "out", found), QUESTION)
    assert len(run.label(found, target, Here(answerer())).labelled) == len(NAMES)
    return folder / "photos", contents(folder / "out")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def labelled(cluster, sources, out, start=answerer, question=QUESTION, **more):
    return ray_engine.label(sources, question, Sink(str(out)), start, cluster, **more)


def test_ray_answers_byte_for_byte_as_the_local_engine_and_goes_on_from_its_sink(cluster, undisturbed, tmp_path):
    photos, expected = undisturbed
    (photos.parent / "more").mkdir(exist_ok=True)
    sources = urls.local(gather([photos]).photos)
    report = labelled(cluster, sources, tmp_path)
    assert sorted(one.name for one in report.labelled) == [f"{name}.png" for name in NAMES] and not report.failed
    assert contents(tmp_path) == expected and {"decode", "encode", "regions"} <= set(report.seconds)

    (tmp_path / "b.json").unlink()
    again = labelled(cluster, urls.sources(photos.as_uri()), tmp_path.as_uri(), resume=True)
    assert [one.name for one in again.labelled] == ["b.png"] and len(again.skipped) == 5
    assert contents(tmp_path) == expected
    with pytest.raises(TextsegError, match="other words"):
        other = replace(QUESTION, vocabulary=QUESTION.vocabulary.__class__.parse("dog"))
        labelled(cluster, sources, tmp_path, question=other, resume=True)


def test_an_actor_that_is_killed_in_the_middle_changes_nothing(cluster, undisturbed, tmp_path):
    write_photos(tmp_path / "photos", *NAMES, "risky")
    sources = urls.local(gather([tmp_path / "photos"]).photos)
    report = labelled(cluster, sources, tmp_path / "out", partial(tiny_bulk.mortal, tmp_path), facts=answerer().facts)
    assert (tmp_path / "risky.png").exists()  # left by the actor that was killed
    made = contents(tmp_path / "out")
    assert not report.failed and made.keys() == undisturbed[1].keys() | {"risky.png", "risky.json"}
    assert undisturbed[1].items() <= made.items()


def test_a_photo_that_ends_its_actor_is_told_and_the_others_are_labelled(cluster, undisturbed, tmp_path):
    write_photos(tmp_path / "photos", *NAMES[:3], "deadly")
    (tmp_path / "photos" / "torn.jpg").write_bytes(b"\xff\xd8torn")
    told = []
    sources = urls.local(gather([tmp_path / "photos"]).photos)
    report = labelled(
        cluster, sources, tmp_path / "out", partial(tiny_bulk.mortal, tmp_path),
        facts=answerer().facts, tell=lambda photo, why: told.append((photo.name, why)),
    )  # fmt: skip
    assert sorted(one.name for one in report.labelled) == ["a.png", "b.png", "c.png"]
    assert dict(told).keys() == {"deadly.png", "torn.jpg"} and "twice" in dict(told)["deadly.png"]
    made = contents(tmp_path / "out")
    assert {name: data for name, data in undisturbed[1].items() if name[0] in "abc"} == made


def test_a_worker_of_another_version_is_refused(cluster, undisturbed, tmp_path):
    facts = replace(answerer().facts, version="0.0.1")
    with pytest.raises(TextsegError, match="The worker on .* has textseg .* and this is 0.0.1"):
        labelled(cluster, urls.local(gather([undisturbed[0]]).photos), tmp_path, facts=facts)


def test_shards_are_read_through_and_their_names_stay_inside_the_sink(cluster, undisturbed, tmp_path):
    photos, expected = undisturbed
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "s-0.tar", "w") as shard:
        for name, inside in (("a", "a.png"), ("b", "../../b.png")):
            data = (photos / f"{name}.png").read_bytes()
            member = tarfile.TarInfo(inside)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
        note = tarfile.TarInfo("a.txt")
        shard.addfile(note, io.BytesIO(b""))
    report = labelled(cluster, urls.sources((tmp_path / "shards").as_uri()), tmp_path / "out")
    assert sorted(one.name for one in report.labelled) == ["s-0/a.png", "s-0/b.png"]
    made = contents(tmp_path / "out")
    assert made.keys() == {"s-0/a.png", "s-0/a.json", "s-0/b.png", "s-0/b.json"}
    assert made["s-0/a.png"] == expected["a.png"]


def test_photos_of_a_shard_never_write_over_each_others_labels(undisturbed):
    data = (undisturbed[0] / "a.png").read_bytes()

    class Shard(urls.Source):
        def read(self):
            yield from (("s/a.png", data), ("s/a.jpg", data), ("s/a.png", data))

    reading = ray_engine.Reading(QUESTION, answerer().facts, Sink("nowhere"), resume=False)
    rows = [row for block in reading.read(Shard(0, "s.tar", "s.tar")) for row in block.to_pylist()]
    assert [(row["name"], row["status"]) for row in rows[:-1]] == [("s/a.png", "photo"), ("s/a.jpg", "failed")]
    assert "those of s/a.png" in rows[1]["reason"] and (rows[-1]["status"], rows[-1]["many"]) == ("end", 2)


def test_what_cannot_be_listed_is_one_sentence(tmp_path):
    with pytest.raises(PhotoError, match="no photos in"):
        urls.sources(tmp_path.as_uri())
    with pytest.raises(TextsegError, match="nothing://x cannot be read here"):
        urls.sources("nothing://x")
    with pytest.raises(VocabularyError):
        sink = Sink(str(tmp_path))
        sink.write("a.png", {".png": b"", ".json": answered_with_other_words()})
        sink.has("a.png", QUESTION, answerer().facts)


def answered_with_other_words() -> bytes:
    import json

    classes = [{"name": "dog", "aliases": []}]
    return json.dumps({"photo": "a.png", "backbone": "tiny", "head": "none", "classes": classes}).encode()
