"""`textseg label`: a folder of photos, pseudo-labelled into files or into a project, resumed, and with bad photos."""

import errno
import json

import numpy as np
import pytest
from PIL import Image

import textseg.model
from tests.tiny import TinyBackbone, noise_photo, tiny_model
from textseg.cli import main
from textseg.labelmap import read_index_png
from textseg.project import Project

WORDS = ["--words", "cat; kitten, sofa, wall", "--confidence", "0", "--margin", "0", "--others", "none"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder `photos` of three, and a model that answers in milliseconds."""
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: tiny_model())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("one", "two", "three")):
        noise_photo(60, 40, seed).save(f"photos/{name}.png")
    return tmp_path


@pytest.fixture
def encoded(monkeypatch):
    """The sizes of the photos that the encoder sees."""
    seen, encode = [], TinyBackbone.encode

    def noted(self, photos):
        seen.extend(photo.size for photo in photos)
        return encode(self, photos)

    monkeypatch.setattr(TinyBackbone, "encode", noted)
    return seen


def test_a_folder_becomes_a_label_map_and_facts_a_photo(folder):
    assert main(["label", "photos", *WORDS, "--out", "out"]) == 0
    assert {path.name for path in (folder / "out").iterdir()} == {
        f"{stem}.{kind}" for stem in ("one", "two", "three") for kind in ("png", "json")
    }
    with Image.open("out/one.png") as image:
        assert (image.mode, image.size) == ("P", (60, 40))
    ids, facts = read_index_png(folder / "out/one.png"), json.loads((folder / "out/one.json").read_text())
    assert facts["photo"] == "one.png" and facts["size"] == [60, 40] and facts["backbone"] == "tiny"
    assert [(c["id"], c["name"], c["aliases"]) for c in facts["classes"]][0] == (1, "cat", ["kitten"])
    assert ids.any() and all(c["area"] == pytest.approx((ids == c["id"]).mean(), abs=1e-5) for c in facts["classes"])


def test_a_photo_that_is_not_sure_of_anything_is_unlabelled(folder):
    assert main(["label", "photos", "--words", "cat, sofa", "--confidence", "1", "--out", "out"]) == 0
    assert not read_index_png(folder / "out/one.png").any()


def test_a_list_names_photos_relative_to_itself(folder, monkeypatch):
    (folder / "photos" / "some.txt").write_text("# two of three\none.png\n\nthree.png\n")
    monkeypatch.chdir(folder.parent)
    assert main(["label", str(folder / "photos" / "some.txt"), *WORDS, "--out", str(folder / "out")]) == 0
    assert {path.stem for path in (folder / "out").iterdir()} == {"one", "three"}


def test_subfolders_are_labelled_into_subfolders_unless_they_are_left_out(folder, capsys):
    for seed, name in enumerate(("a", "b"), 5):
        (folder / "photos" / name).mkdir()
        noise_photo(60, 40, seed).save(f"photos/{name}/one.jpg")
    (folder / "photos" / "notes.txt").write_text("no photo")
    for _ in range(2):  # what the first run wrote is no photo of the second
        assert main(["label", "photos", *WORDS, "--out", "photos/out"]) == 0
        assert "5 photos labelled" in (said := capsys.readouterr().out) and "Not taken: 1 .txt." in said
    found = {path.relative_to(folder / "photos/out").as_posix() for path in (folder / "photos/out").rglob("*.png")}
    assert found == {"one.png", "two.png", "three.png", "a/one.png", "b/one.png"}
    assert json.loads((folder / "photos/out/b/one.json").read_text())["photo"] == "b/one.jpg"
    assert main(["label", "photos", *WORDS, "--project", "p"]) == 0
    names = [row.name for row in Project("p").photos()]
    assert {"one.png", "a/one.jpg", "b/one.jpg"} <= set(names)
    assert main(["label", "photos", *WORDS, "--out", "flat", "--flat"]) == 0
    assert not (folder / "flat" / "a").exists()


def test_the_pages_of_a_tiff_are_labelled_each(folder):
    pages = [noise_photo(60, 40, seed) for seed in (1, 2)]
    pages[0].save("photos/scan.tif", save_all=True, append_images=pages[1:])
    assert main(["label", "photos/scan.tif", *WORDS, "--out", "out"]) == 0
    assert {path.stem for path in (folder / "out").iterdir()} == {"scan-page-1", "scan-page-2"}
    assert main(["segment", "photos/scan.tif", "--words", "cat", "--out", "seg"]) == 0
    assert read_index_png(folder / "seg/scan-page-2.png").shape == (40, 60)
    assert main(["label", "photos/scan.tif", *WORDS, "--project", "p"]) == 0
    assert [row.name for row in Project("p").photos()] == ["scan-page-1.tif", "scan-page-2.tif"]


def test_deep_photos_are_labelled_over_one_range_on_request(folder, capsys):
    for name, top in (("dark", 200), ("light", 4000)):
        Image.fromarray(np.tile(np.linspace(100, top, 60).astype(np.uint16), (40, 1))).save(f"photos/{name}.png")
    assert main(["label", "photos", *WORDS, "--out", "one", "--same-range"]) == 0
    assert main(["segment", "photos", "--words", "cat", "--out", "two", "--same-range"]) == 0
    assert main(["label", "photos", *WORDS, "--project", "p", "--same-range"]) == 2
    assert "--same-range goes with --out" in capsys.readouterr().err


def test_one_bad_photo_is_named_and_does_not_stop_the_others(folder, capsys):
    (folder / "photos" / "a-torn.jpg").write_bytes(b"\xff\xd8torn")
    assert main(["label", "photos", *WORDS, "--out", "out"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("photos/a-torn.jpg: ")
    assert len(list((folder / "out").glob("*.png"))) == 3
    assert main(["label", "photos", *WORDS, "--project", "p"]) == 1
    assert len(Project("p").photos(state="pseudo-labelled")) == 3


def test_nothing_but_bad_photos_is_status_2(folder, capsys):
    for photo in (folder / "photos").iterdir():
        photo.write_bytes(b"")
    assert main(["label", "photos", *WORDS, "--out", "out"]) == 2
    assert capsys.readouterr().err.count("\n") == 3 and not list((folder / "out").iterdir())


def test_resume_encodes_only_what_is_missing(folder, encoded):
    main(["label", "photos", *WORDS, "--out", "out"])
    (folder / "out" / "two.json").unlink()  # killed between the two files: the JSON is written last
    encoded.clear()
    assert main(["label", "photos", *WORDS, "--out", "out", "--resume"]) == 0
    assert len(encoded) == 1 and (folder / "out" / "two.json").is_file()
    assert main(["label", "photos", *WORDS, "--out", "out"]) == 0 and len(encoded) == 4


def test_resume_with_other_words_is_refused(folder, capsys):
    main(["label", "photos", *WORDS, "--out", "out"])
    before = (folder / "out/one.png").read_bytes()
    capsys.readouterr()
    assert main(["label", "photos", "--words", "dog", "--out", "out", "--resume"]) == 2
    assert "other words" in capsys.readouterr().err and (folder / "out/one.png").read_bytes() == before


def test_resume_with_other_words_competing_is_refused(folder, capsys):
    main(["label", "photos", *WORDS, "--out", "out"])
    before = (folder / "out/one.png").read_bytes()
    capsys.readouterr()
    assert main(["label", "photos", *WORDS[:-2], "--out", "out", "--resume"]) == 2
    said = capsys.readouterr().err
    assert "--others none" in said and said.count("\n") == 1 and (folder / "out/one.png").read_bytes() == before

    (folder / "nouns.txt").write_text("snow\nsky\n")
    listed = ["label", "photos", *WORDS[:-1], "@nouns.txt", "--out", "listed"]
    assert main(listed) == 0 and main([*listed, "--resume"]) == 0
    (folder / "nouns.txt").write_text("snow\nsea\n")
    assert main([*listed, "--resume"]) == 2


def test_labels_from_before_other_words_are_those_of_a_closed_vocabulary(folder):
    main(["label", "photos", *WORDS, "--out", "out"])
    for path in (folder / "out").glob("*.json"):
        facts = json.loads(path.read_text())
        del facts["others"]
        path.write_text(json.dumps(facts))
    assert main(["label", "photos", *WORDS, "--out", "out", "--resume"]) == 0


def test_photos_of_one_stem_are_not_written_over_each_other(folder, capsys):
    noise_photo(50, 30, 9).save("photos/one.jpg")
    assert main(["label", "photos", *WORDS, "--out", "out"]) == 1
    assert "already written" in capsys.readouterr().err
    assert main(["label", "photos", *WORDS, "--out", "photos"]) == 2, "every PNG there is a photo"
    assert (folder / "photos/two.png").read_bytes()[:4] == b"\x89PNG" and not (folder / "photos/two.json").exists()


def test_a_project_is_made_filled_and_its_regions_know_the_model(folder):
    assert main(["label", "photos", *WORDS, "--project", "p"]) == 0
    project = Project("p")
    assert [c.name for c in project.classes()] == ["cat", "sofa", "wall"]
    assert project.status()["photos"]["pseudo-labelled"] == 3 and project.status()["heads"] == ["tiny/none"]
    sources, rows = project.provenance("one.png")
    assert {row.kind for row in rows.values()} == {"model"} and (sources > 0).any()


def test_words_that_a_project_lacks_become_classes_of_their_own_colour(folder):
    main(["project", "new", "p", "--words", "cat; kitten, sofa"])
    assert main(["label", "photos", "--words", "kitten, lamp", "--project", "p"]) == 0
    classes = Project("p").classes()
    assert [c.name for c in classes] == ["cat", "sofa", "lamp"] and len({c.colour for c in classes}) == 3


def test_resume_in_a_project_labels_only_what_is_new(folder, encoded):
    main(["label", "photos", *WORDS, "--project", "p"])
    noise_photo(60, 40, 7).save("photos/four.png")
    encoded.clear()
    assert main(["label", "photos", *WORDS, "--project", "p", "--resume"]) == 0
    assert len(encoded) == 1 and len(Project("p").photos()) == 4


def test_a_photo_that_the_project_has_is_labelled_by_its_name_there(folder, capsys):
    assert main(["project", "new", "p", "--words", "cat, sofa"]) == main(["project", "add", "p", "photos"]) == 0
    options = ["--project", "p", "--confidence", "0", "--margin", "0", "--others", "none"]
    assert main(["label", "two.png", *options]) == 0
    assert [one.name for one in Project("p").photos(state="pseudo-labelled")] == ["two.png"]
    capsys.readouterr()
    assert main(["label", "four.png", *options]) == 2 and "four.png: does not exist." in capsys.readouterr().err
    noise_photo(60, 40, 7).save("two.png")  # a file of this name goes before
    assert main(["label", "two.png", *options]) == 0 and len(Project("p").photos()) == 4


def test_a_persons_work_stays_unless_a_dry_run_has_counted_it(folder, capsys):
    main(["label", "photos", *WORDS, "--project", "p"])
    project = Project("p")
    drawn = {"type": "polygon", "class": 2, "points": [[0, 0], [20, 0], [20, 20], [0, 20]]}
    made = project.edit("one.png", 1, drawn) and project.person_pixels("one.png")
    project.set_state("two.png", "done")
    done = project.label_map("two.png")
    main(["label", "photos", *WORDS, "--project", "p"])
    assert (project.label_map("one.png")[0][:20, :20] == 2).all() and project.label_map("two.png")[1] == done[1]

    capsys.readouterr()
    before = project.status()["revisions"]
    assert main(["label", "photos", *WORDS, "--project", "p", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"--overwrite {made}" in said and "1 are done" in said
    assert project.status()["revisions"] == before, "a dry run changes nothing"
    assert main(["label", "photos", *WORDS, "--project", "p", "--overwrite", "10"]) == 1
    assert "may be written over" in capsys.readouterr().err and project.person_pixels("one.png") == made
    assert main(["label", "photos", *WORDS, "--project", "p", "--overwrite", str(made)]) == 0
    assert project.person_pixels("one.png") < made


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(folder, capsys, monkeypatch):
    from textseg.bulk import files

    write, written = files.write_atomically, []

    def full(path, content):
        if len(written) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        write(path, content)

    monkeypatch.setattr(files, "write_atomically", full)
    assert main(["label", "photos", *WORDS, "--out", "out"]) == 1
    error = capsys.readouterr().err
    assert "No space left on device" in error and "--resume" in error
    monkeypatch.undo()
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: tiny_model())
    monkeypatch.chdir(folder)
    assert main(["label", "photos", *WORDS, "--out", "out", "--resume"]) == 0
    assert np.all([read_index_png(path).shape == (40, 60) for path in (folder / "out").glob("*.png")])


@pytest.mark.parametrize(
    "arguments",
    [
        ["photos", "--out", "out"],
        ["photos", "--words", "", "--out", "out"],
        ["nowhere", "--words", "cat", "--out", "out"],
        ["photos/one.json", "--words", "cat", "--out", "out"],
        ["photos", "--words", "cat", "--out", "out", "--dry-run"],
        ["empty", "--words", "cat", "--out", "out"],
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(folder, capsys, arguments):
    (folder / "empty").mkdir()
    (folder / "photos" / "one.json").write_bytes(b"\xff\xfe\xff")
    assert main(["label", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
