"""`--others` of segment, label and evaluate: absent words are named, and the closed vocabulary is what it was."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import textseg
from textseg.cli import main


def answer(folder: Path, photo: Path, *options: str) -> tuple[np.ndarray, list[dict]]:
    assert main(["segment", str(photo), "--words", "cat, zebra", "--out", str(folder), *options]) == 0
    facts = json.loads((folder / f"{photo.stem}.json").read_text())
    return np.asarray(Image.open(folder / f"{photo.stem}.png")), facts["classes"]


def test_a_word_that_is_not_there_is_named_with_area_0_and_its_presence(cat_photo: Path, tmp_path: Path) -> None:
    ids, (cat, zebra) = answer(tmp_path, cat_photo)
    assert cat["area"] > 0.2 and (ids == 0).any()
    assert zebra["area"] == 0 and zebra["confidence"] == 0
    assert cat["presence"] > 0.5 > zebra["presence"]


def test_none_is_the_closed_vocabulary_to_the_last_pixel(cat_photo: Path, tmp_path: Path) -> None:
    ids, classes = answer(tmp_path, cat_photo, "--others", "none")
    scene = textseg.load_model("lite").encode(Image.open(cat_photo))
    expected = textseg.segment(scene, textseg.Vocabulary.parse("cat, zebra"), others=None).ids
    assert np.array_equal(ids, expected) and (ids > 0).all()
    assert [one["presence"] for one in classes] == [None, None]


def test_a_list_of_ones_own_competes(cat_photo: Path, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("floor\nwall\n\ncloth\n")
    ids, _ = answer(tmp_path / "out", cat_photo, "--others", f"@{tmp_path / 'own.txt'}")
    assert (ids == 1).any()


@pytest.mark.parametrize("others", ["some", "@nowhere.txt", "@/dev/null"])
def test_a_list_that_cannot_be_read_is_one_sentence(
    others: str, cat_photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(cat_photo), "--words", "cat", "--out", str(tmp_path), "--others", others]
    assert main(["segment", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_label_leaves_a_photo_unlabelled_where_no_word_is_there(cat_photo: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(cat_photo.read_bytes())
    label = ["label", str(tmp_path / "photos"), "--words", "zebra", "--out"]
    assert main([*label, str(tmp_path / "open")]) == 0
    assert main([*label, str(tmp_path / "closed"), "--others", "none"]) == 0
    opened, closed = (np.asarray(Image.open(tmp_path / name / "cat.png")) for name in ("open", "closed"))
    assert (closed > 0).mean() > 0.9 > 0.1 > (opened > 0).mean()


def test_words_that_the_model_does_not_know_are_noted_once_and_asked_all_the_same(
    cat_photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(cat_photo.read_bytes())
    for command, photos in (("segment", [cat_photo, copy]), ("label", [copy])):
        out = tmp_path / command
        assert main([command, *map(str, photos), "--words", "cat, blorft", "--out", str(out)]) == 0
        assert capsys.readouterr().err.count("does not know 'blorft'") == 1
        assert [one["name"] for one in json.loads((out / "copy.json").read_text())["classes"]] == ["cat", "blorft"]


def test_where_every_other_word_is_too_near_to_compete_that_is_noted(
    cat_photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.txt").write_text("kitten\ntabby cat\n")
    segment = ["segment", str(cat_photo), "--words", "cat", "--out", str(tmp_path)]
    assert main([*segment, "--others", f"@{tmp_path / 'own.txt'}"]) == 0
    assert "some word will win every pixel" in capsys.readouterr().err


@pytest.mark.parametrize(("ignored", "others"), [("0\n", "none"), ("", "default")])
def test_evaluate_lets_others_compete_where_the_set_scores_a_background(
    ignored: str, others: str, cat_photo: Path, tmp_path: Path
) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    photo = Image.open(cat_photo)
    photo.save(tmp_path / "images" / "cat.png")
    Image.fromarray(np.ones(photo.size[::-1], np.uint8)).save(tmp_path / "labels" / "cat.png")
    (tmp_path / "classes.txt").write_text(("" if ignored else "0\tbackground\n") + "1\tcat\n2\tzebra\n")
    if ignored:
        (tmp_path / "ignore.txt").write_text(ignored)
    assert main(["evaluate", str(tmp_path), "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["others"] == others and 0 <= scores["ece"] <= 1
