import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import textseg
from tests.tiny import TinyBackbone, noise_photo, tiny_model
from textseg.commands import evaluate as command
from textseg.errors import DatasetError, UnknownNameError
from textseg.model import dense
from textseg.vocabulary import Vocabulary
from trainer import datasets, protocols
from trainer.datasets import published
from trainer.evaluate import Labeller, evaluate, improbable
from trainer.protocols import Protocol

# A small set in the plain layout: four photos of 96 x 64, halves of two classes each, the last row not scored.

CLASSES = "3\tcat, grey\tcat\n5\tsofa\n9\twall-other\twall\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "classes.txt").write_text(CLASSES)
    for k in range(4):
        noise_photo(seed=k).save(tmp_path / "images" / f"{k}.png")
        ids = np.full((64, 96), 3, np.uint8)
        ids[:, 48:] = 5 if k else 9
        ids[-1] = 0
        Image.fromarray(ids).save(tmp_path / "labels" / f"{k}.png")
    return tmp_path


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> textseg.Model:
    model = tiny_model()
    monkeypatch.setattr(textseg, "load_model", lambda *_, **__: model)
    return model


Run = Callable[..., int]


@pytest.fixture
def run(model: textseg.Model) -> Run:
    def run_command(*arguments: object) -> int:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        answer = {
            "backbone": "tiny",
            "head": "none",
            "readout": None,
            "by": "pixel",
            "refine": "none",
            "templates": None,
        }
        return command.run(parser.parse_args([str(a) for a in arguments], argparse.Namespace(**answer)))

    return run_command


def test_all_words_compete_or_only_those_in_the_photo(folder: Path) -> None:
    asked: list[list[int]] = []

    def predict(photo: Image.Image, competing: Sequence[int]) -> np.ndarray:
        asked.append(list(competing))
        return np.zeros(photo.size[::-1], np.int32)

    dataset = datasets.open(folder)
    evaluate(dataset, predict)
    assert asked == [[0, 1, 2]] * 4
    asked.clear()
    evaluate(dataset, predict, "present")
    assert asked == [[0, 2], [0, 1], [0, 1], [0, 1]]


def test_the_answer_is_that_of_segment_scored_by_hand(folder: Path, model: textseg.Model, run: Run) -> None:
    assert run(folder, "--json", folder / "scores.json", "--words", "present") == 0
    scores = json.loads((folder / "scores.json").read_text())
    right, union, correct, total = dict.fromkeys((3, 5, 9), 0), dict.fromkeys((3, 5, 9), 0), 0, 0
    for k in range(4):
        truth = np.asarray(Image.open(folder / "labels" / f"{k}.png"))
        words = {3: "cat", 5: "sofa"} if k else {3: "cat", 9: "wall"}
        scene = model.encode(Image.open(folder / "images" / f"{k}.png"))
        ids = textseg.segment(scene, Vocabulary.from_names(words.values()), refine="none", others=None).ids
        answer = np.array([0, *words])[ids]
        scored = truth > 0
        correct, total = correct + int((answer == truth)[scored].sum()), total + int(scored.sum())
        for id_ in right:
            right[id_] += int(((answer == id_) & (truth == id_))[scored].sum())
            union[id_] += int(((answer == id_) | (truth == id_))[scored].sum())
    expected = {name: 100 * right[k] / union[k] for name, k in (("cat, grey", 3), ("sofa", 5), ("wall-other", 9))}
    assert set(scores) == {"miou", "pixel_accuracy", "per_class", "ece", "others", "photos", "seconds"}
    assert scores["per_class"] == pytest.approx(expected, abs=1e-3)
    assert scores["miou"] == pytest.approx(np.mean(list(expected.values())), abs=1e-3)
    assert scores["pixel_accuracy"] == pytest.approx(100 * correct / total, abs=1e-3)
    assert scores["photos"] == 4


def test_each_photo_is_encoded_once_and_each_word_embedded_once(
    folder: Path, model: textseg.Model, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[str] = []
    embed = model.backbone.embed

    def counted(texts: Sequence[str]) -> torch.Tensor:
        embedded.extend(texts)
        return embed(texts)

    monkeypatch.setattr(model.backbone, "embed", counted)
    run(folder, "--words", "present")
    assert isinstance(model.backbone, TinyBackbone)
    assert model.backbone.encoded == 4
    assert sorted(embedded) == ["cat", "sofa", "wall"]


def test_json_on_standard_output_stands_alone(folder: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "--json", "-")
    output = capsys.readouterr()
    assert json.loads(output.out)["photos"] == 4
    assert output.err == ""


def test_the_table_names_classes_and_totals(folder: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "--limit", 2, "--min-photos", 2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines if line] == [
        "class", "cat, grey", "mIoU", "pixel accuracy", "calibration", "time",
    ]  # fmt: skip


def test_photos_that_cannot_be_scored_are_named_and_the_rest_go_on(
    folder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "labels" / "0.png").unlink()
    (folder / "images" / "1.png").write_text("no picture")
    Image.fromarray(np.full((64, 96), 77, np.uint8)).save(folder / "labels" / "2.png")
    Image.fromarray(np.full((64, 96), 3, np.uint8)).save(folder / "labels" / "without_photo.png")
    assert run(folder, "--json", "-") == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["photos"] == 1
    problems = output.err.splitlines()
    assert len(problems) == 4
    for line, photo, reason in zip(
        problems,
        ("0.png", "1.png", "2.png", "without_photo.jpg"),
        ("labels/0.png does not exist", "not a picture", "labels/2.png holds the id 77", "does not exist"),
        strict=True,
    ):
        assert line.startswith(f"{folder / 'images' / photo}: ")
        assert reason in line


def test_when_no_photo_can_be_scored_there_is_one_sentence(folder: Path, run: Run) -> None:
    for label in (folder / "labels").iterdir():
        label.unlink()
    with pytest.raises(DatasetError, match="None of the 4 photos"):
        run(folder)


def test_a_wrong_choice_of_method_stops_everything(folder: Path, run: Run) -> None:
    with pytest.raises(UnknownNameError, match="sclip, tcl"):
        run(folder, "--protocol", "mine")
    with pytest.raises(DatasetError, match="cannot be written"):
        run(folder, "--json", folder / "nowhere" / "scores.json")


def test_a_photo_without_a_scored_pixel_changes_no_score(folder: Path, run: Run) -> None:
    run(folder, "--json", folder / "before.json", "--words", "present")
    noise_photo(seed=9).save(folder / "images" / "9.png")
    Image.fromarray(np.zeros((64, 96), np.uint8)).save(folder / "labels" / "9.png")
    assert run(folder, "--json", folder / "after.json", "--words", "present") == 0
    before, after = (json.loads((folder / f"{name}.json").read_text()) for name in ("before", "after"))
    assert after["per_class"] == before["per_class"]
    assert after["photos"] == 5


def test_pixels_won_by_a_background_word_are_wrong(folder: Path, model: textseg.Model) -> None:
    dataset = datasets.open(folder)
    plain = Labeller(model, dataset, Protocol(refine="none"))
    behind = Labeller(model, dataset, Protocol(refine="none"), background="floor, sky; clouds")
    photo = noise_photo(seed=0)
    everything = Vocabulary.parse("cat, sofa, wall, floor, sky; clouds")
    expected = textseg.segment(model.encode(photo), everything, refine="none", others=None).ids.astype(np.int32) - 1
    answer = behind(photo, [0, 1, 2])
    assert (answer == np.where(expected > 2, 3, expected)).all()
    assert (answer == 3).any()
    assert (plain(photo, [0, 1, 2]) < 3).all()


def test_pixels_won_by_a_background_word_count_as_a_scored_background(folder: Path, model: textseg.Model) -> None:
    (folder / "classes.txt").write_text(f"0\tbackground\n{CLASSES}")
    labeller = Labeller(model, datasets.open(folder), Protocol(refine="none"), background="floor, sky")
    photo = noise_photo(seed=0)
    everything = Vocabulary.parse("background, cat, sofa, wall, floor, sky")
    expected = textseg.segment(model.encode(photo), everything, refine="none", others=None).ids.astype(np.int32) - 1
    assert (labeller(photo, [0, 1, 2, 3]) == np.where(expected > 3, 0, expected)).all()


def test_a_threshold_makes_unsure_pixels_none(folder: Path, model: textseg.Model) -> None:
    labeller = Labeller(model, datasets.open(folder), Protocol(refine="none", threshold=0.2))
    photo = noise_photo(seed=0)
    best = model.encode(photo).similarity(Vocabulary.from_names(["cat", "sofa", "wall"]), full_size=True).max(0)
    assert ((labeller(photo, [0, 1, 2]) == 3) == (best < 0.2)).mean() > 0.999  # both upsample to float rounding


def test_improbable_pixels_equal_a_softmax_over_all_names() -> None:
    scene = tiny_model().encode(noise_photo())
    asked, kept = Vocabulary.parse("cat; kitten, sofa, wall"), Vocabulary.parse("cat; kitten, sofa")
    protocol = Protocol(min_probability=0.4, scale=8.0)
    kept = Vocabulary(tuple(word for word in asked if word.name in kept.names))
    names = scene.similarity(Vocabulary.from_names(["cat", "kitten", "sofa", "wall"]))
    scores = dense.upsample(torch.from_numpy(names) * 8.0, scene.size[::-1])
    expected = (scores.softmax(0)[:3].amax(0) < 0.4).numpy()
    assert 0 < expected.mean() < 1
    assert (improbable(scene, asked, kept, protocol) == expected).mean() > 0.999


def test_words_on_too_little_of_the_foreground_lose_their_pixels(folder: Path, model: textseg.Model) -> None:
    dataset, photo = datasets.open(folder), noise_photo(seed=0)
    free = Labeller(model, dataset, Protocol(refine="none"))(photo, [0, 1, 2])
    area = np.bincount(free.ravel(), minlength=3) / free.size
    smallest, largest = np.sort(area[area > 0])[[0, -1]]
    assert smallest < largest
    kept = Labeller(model, dataset, Protocol(refine="none", min_area=(smallest + largest) / 2))(photo, [0, 1, 2])
    large = np.flatnonzero(area > (smallest + largest) / 2).tolist()
    assert (kept == Labeller(model, dataset, Protocol(refine="none"))(photo, large)).all()


def test_protocols_set_size_windows_words_and_background(tmp_path: Path, folder: Path) -> None:
    plain = datasets.open(folder)
    voc21 = replace(
        plain,
        layout="voc21",
        classes=tuple(
            datasets.Class(n, published.plain(n), (k,)) for k, n in enumerate(["background", *published.VOC])
        ),
        background=0,
    )
    line = protocols.get("sclip", voc21)
    assert (line.short_side, line.window, line.scale, line.min_probability, line.min_area) == (336, 224, 65.0, 0.1, 0.1)
    model = tiny_model()
    model.head.sizes = ((64, 1.0),)
    before = (model.backbone.short_side, model.backbone.window, model.head.sizes)
    labeller = Labeller(model, voc21, line)
    sized = labeller.model
    assert (sized.backbone.short_side, sized.backbone.window, sized.head.sizes) == (336, 224, ())
    assert (model.backbone.short_side, model.backbone.window, model.head.sizes) == before  # others use it too
    words = [word.texts for word in labeller._vocabulary(range(21))]
    assert words[0][:3] == ("sky", "wall", "tree")
    assert words[4] == ("ship",)
    assert words[16] == ("potted plant",)
    assert words[20] == ("television monitor", "tv monitor", "monitor", "television", "screen")

    line = protocols.get("tcl", voc21)
    assert (line.short_side, line.window, line.threshold) == (448, 448, 0.25)
    assert len(Labeller(model, voc21, line)._vocabulary(range(21))) == 20  # background is not asked
    assert protocols.get("tcl", plain).threshold is None
    assert protocols.get("sclip", replace(plain, layout="cityscapes19")).short_side == 560
    assert protocols.get("sclip", replace(plain, layout="coco_stuff171")).short_side == 448

    line = protocols.get("naclip", voc21)
    assert (line.short_side, line.window, line.min_probability) == (336, None, 0.1)
    assert Labeller(model, voc21, line).model.backbone.window is None
    assert protocols.get("naclip", replace(plain, layout="ade150")).window == 224

    line = protocols.get("groupvit", voc21)
    assert (line.short_side, line.window, line.groups, line.min_probability) == (448, 448, True, 0.95)
    assert protocols.get("groupvit", plain).min_probability is None


def test_the_confusion_picture_is_a_picture(folder: Path, run: Run) -> None:
    run(folder, "--confusion", folder / "confusion.png")
    with Image.open(folder / "confusion.png") as picture:
        assert min(picture.size) > 200


def test_the_reliability_diagram_is_drawn_and_a_folder_that_is_not_there_is_told_first(
    folder: Path, run: Run, tmp_path: Path
) -> None:
    assert run(folder, "--reliability", tmp_path / "reliability.png") == 0
    with Image.open(tmp_path / "reliability.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 300
    with pytest.raises(DatasetError, match="its folder does not exist"):
        run(folder, "--reliability", tmp_path / "nowhere" / "reliability.png")
