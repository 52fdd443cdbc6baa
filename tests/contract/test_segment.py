"""`textseg segment`: the files it writes, its exit status, and what it says about bad input."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

import textseg.model
from tests.tiny import noise_photo, tiny_model
from textseg.cli import main
from textseg.labelmap import read_index_png


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the photo one.jpg, and a model that answers in milliseconds."""
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: tiny_model())
    monkeypatch.chdir(tmp_path)
    noise_photo(60, 40).save("one.jpg")
    return tmp_path


def test_a_photo_gets_a_palette_png_and_its_facts(folder):
    assert main(["segment", "one.jpg", "--words", "cat; kitten, sofa", "--out", "out"]) == 0
    with Image.open("out/one.png") as image:
        assert (image.mode, image.size) == ("P", (60, 40))
    facts = json.loads((folder / "out/one.json").read_text())
    assert facts["photo"] == "one.jpg" and facts["size"] == [60, 40]
    assert facts["backbone"] == "tiny" and facts["head"] == "none"
    assert [(c["id"], c["name"], c["aliases"]) for c in facts["classes"]] == [(1, "cat", ["kitten"]), (2, "sofa", [])]
    ids = read_index_png(folder / "out/one.png")
    for fact in facts["classes"]:
        assert fact["area"] == pytest.approx((ids == fact["id"]).mean(), abs=1e-5)
        assert 0 <= fact["confidence"] <= 1 and fact["colour"].startswith("#")


def test_more_than_255_words_are_written_as_16_bit_grey(folder):
    words = ",".join(f"word {i}" for i in range(300))
    assert main(["segment", "one.jpg", "--words", words, "--out", "out"]) == 0
    with Image.open("out/one.png") as image:
        assert image.mode.startswith("I;16")


def test_the_png_has_the_size_of_the_upright_photo(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise_photo(60, 40).save("turned.jpg", exif=exif)
    assert main(["segment", "turned.jpg", "--words", "cat, sofa", "--out", "out"]) == 0
    assert read_index_png(folder / "out/turned.png").shape == (60, 40)


def test_overlay_and_similarity_are_written_when_asked_for(folder):
    arguments = ["--words", "cat, sofa", "--out", "out", "--overlay", "--similarity"]
    assert main(["segment", "one.jpg", *arguments]) == 0
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"one.png", "one.json", "one.overlay.png", "one.1.similarity.png", "one.2.similarity.png"}
    with Image.open("out/one.1.similarity.png") as image:
        assert (image.mode, image.size) == ("L", (60, 40))


def test_background_words_win_pixels_and_are_written_as_zero(folder):
    main(["segment", "one.jpg", "--words", "cat, sofa", "--out", "plain", "--refine", "none"])
    main(["segment", "one.jpg", "--words", "cat", "--background", "sofa", "--out", "behind", "--refine", "none"])
    plain, behind = (read_index_png(folder / where / "one.png") for where in ("plain", "behind"))
    assert np.array_equal(behind, np.where(plain == 2, 0, plain)) and (behind == 0).any()


def test_a_threshold_that_nothing_reaches_leaves_nothing(folder):
    assert main(["segment", "one.jpg", "--words", "cat, sofa", "--out", "out", "--threshold", "1"]) == 0
    assert not read_index_png(folder / "out/one.png").any()


@pytest.mark.parametrize("by", ["pixel", "unit", "slic", "proposal"])
def test_every_way_of_labelling_covers_the_photo(folder, by):
    assert main(["segment", "one.jpg", "--words", "cat, sofa", "--out", "out", "--by", by]) == 0
    assert read_index_png(folder / "out/one.png").shape == (40, 60)


def test_words_come_from_standard_input_or_a_file_one_a_line(folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("cat; kitten\nsofa, with cushions\n"))
    assert main(["segment", "one.jpg", "--words", "-", "--out", "a"]) == 0
    (folder / "words.txt").write_text("cat; kitten\nsofa, with cushions\n")
    assert main(["segment", "one.jpg", "--words", "@words.txt", "--out", "b"]) == 0
    for where in "ab":
        facts = json.loads((folder / where / "one.json").read_text())
        assert [c["name"] for c in facts["classes"]] == ["cat", "sofa, with cushions"]


def test_a_bad_photo_is_named_and_the_others_are_written(folder, capsys):
    (folder / "torn.jpg").write_bytes((folder / "one.jpg").read_bytes()[:400])
    assert main(["segment", "torn.jpg", "one.jpg", "--words", "cat", "--out", "out"]) == 1
    assert capsys.readouterr().err.startswith("torn.jpg: is damaged")
    assert (folder / "out/one.png").exists() and not (folder / "out/torn.png").exists()


def test_what_a_folder_holds_besides_photos_is_told(folder, capsys):
    (folder / "notes.txt").write_text("a list")
    assert main(["segment", str(folder), "--words", "cat", "--out", "out"]) == 0
    assert "Not taken: 1 .txt." in capsys.readouterr().err


def test_two_photos_of_one_name_never_overwrite_each_other(folder, capsys):
    (folder / "other").mkdir()
    noise_photo(30, 30, seed=1).save("other/one.png")
    assert main(["segment", "one.jpg", "other/one.png", "--words", "cat", "--out", "out"]) == 1
    assert "already written" in capsys.readouterr().err
    assert read_index_png(folder / "out/one.png").shape == (40, 60)


def test_a_photo_is_never_overwritten_by_its_label_map(folder, capsys):
    noise_photo(30, 30).save("two.png")
    before = (folder / "two.png").read_bytes()
    assert main(["segment", "two.png", "--words", "cat", "--out", "."]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert (folder / "two.png").read_bytes() == before


def test_a_fault_of_the_program_is_one_sentence_too(folder, monkeypatch, capsys):
    monkeypatch.setattr("textseg.segmentation.segment", lambda *_, **__: 1 / 0)
    assert main(["segment", "one.jpg", "--words", "cat", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert "ZeroDivisionError" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["one.jpg", "--words", "", "--out", "out"], "at least one word"),
        (["one.jpg", "--words", "@gone.txt", "--out", "out"], "gone.txt"),
        (["one.jpg", "--words", "cat", "--out", "out", "--by", "magic"], "magic"),
        (["one.jpg", "--words", "cat", "--out", "out", "--refine", "magic"], "magic"),
        (["one.jpg", "--words", "cat", "--out", "out", "--threshold", "7"], "0 to 1"),
        (["one.jpg", "--words", "cat", "--out", "one.jpg"], "one.jpg"),
        (["gone.jpg", "--words", "cat", "--out", "out"], "gone.jpg: does not exist"),
        (["one.jpg", "--out", "out"], "--words"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(folder, capsys, arguments, says):
    try:
        status = main(["segment", *arguments])
    except SystemExit as stopped:
        status = stopped.code
    error = capsys.readouterr().err
    assert status == 2
    assert says in error and error.count("\n") == 1 and "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["--backbone", "unknown"], ["--head", "gone.safetensors"], ["--backbone", "clip:ViT-B-16//gone.pt"]]
)
def test_a_model_that_cannot_load_is_one_sentence_and_status_2(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    noise_photo().save("one.jpg")
    assert main(["segment", "one.jpg", "--words", "cat", "--out", "out", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error


def test_lite_finds_the_cat(lite, cat_photo, tmp_path, monkeypatch):
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: lite)
    assert main(["segment", str(cat_photo), "--words", "cat, grass, car", "--out", str(tmp_path)]) == 0
    facts = json.loads((tmp_path / "cat.json").read_text())
    assert facts["classes"][0]["area"] > 0.5
