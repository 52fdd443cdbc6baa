"""`textseg evaluate` against a scorer that knows nothing of it: label PNGs of `textseg segment`, counted with numpy."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import textseg.model
from tests import forked
from textseg import cli

# Ids with gaps, one above 255; the word asked is the third column, else the second.
WORDS = {2: "cat", 7: "coffee cup", 40: "face", 300: "wall"}
CLASSES = "0\tunlabelled\n2\tcat\n7\tcup-merged\tcoffee cup\n40\tface\n300\twall-other\twall\n"
NAMES = {2: "cat", 7: "cup-merged", 40: "face", 300: "wall-other"}
IGNORED = (0, 255)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, sample: Callable[[str], Image.Image]) -> Path:
    """Three photos with made-up labels in blocks; ids 0 and 255 are not scored."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text(CLASSES)
    (folder / "ignore.txt").write_text("".join(f"{number}\n" for number in IGNORED))
    blocks = {
        "astronaut": [[40, 300], [40, 0]],
        "chelsea": [[2, 2, 255], [2, 300, 300]],
        "coffee": [[7], [300]],
    }
    for name, ids in blocks.items():
        photo = sample(name)
        photo.thumbnail((200, 200))
        photo.save(folder / "images" / f"{name}.jpg", quality=95)
        label = Image.fromarray(np.array(ids, np.uint16)).resize(photo.size, Image.Resampling.NEAREST)
        label.save(folder / "labels" / f"{name}.png")
    return folder


@pytest.fixture
def one_model(lite: textseg.model.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in this process share the model that the tests have already loaded."""
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: lite)


def segmented(photo: Path, words: list[str], out: Path, *options: str) -> np.ndarray:
    """(H, W) k for the k-th word, 0 for none: what `textseg segment` writes."""
    assert (
        cli.main(["segment", str(photo), "--words", ", ".join(words), "--out", str(out), "--others", "none", *options])
        == 0
    )
    return np.asarray(Image.open(out / f"{photo.stem}.png")).astype(int)


def scored(dataset: Path, out: Path, present: bool = False, options: tuple[str, ...] = ()) -> dict[str, float]:
    """IoU in per cent by class name, and pixel accuracy under "", counted pixel by pixel over the set."""
    right, either = dict.fromkeys(WORDS, 0), dict.fromkeys(WORDS, 0)
    correct = total = 0
    for photo in sorted((dataset / "images").iterdir()):
        truth = np.asarray(Image.open(dataset / "labels" / f"{photo.stem}.png")).astype(int)
        counts = ~np.isin(truth, IGNORED)
        asked = [k for k in WORDS if not present or (truth == k).any()]
        answer = np.array([-1, *asked])[segmented(photo, [WORDS[k] for k in asked], out, *options)]
        correct, total = correct + int((answer == truth)[counts].sum()), total + int(counts.sum())
        for k in WORDS:
            right[k] += int(((answer == k) & (truth == k))[counts].sum())
            either[k] += int(((answer == k) | (truth == k))[counts].sum())
    return {"": 100 * correct / total, **{NAMES[k]: 100 * right[k] / either[k] for k in WORDS}}


def agrees(scores: dict, expected: dict[str, float]) -> None:
    assert scores["pixel_accuracy"] == pytest.approx(expected.pop(""), abs=1e-3)
    assert scores["per_class"] == pytest.approx(expected, abs=1e-3)
    assert scores["miou"] == pytest.approx(np.mean(list(expected.values())), abs=1e-3)
    assert scores["photos"] == 3
    assert scores["seconds"] > 0


def test_the_command_agrees_with_an_independent_scorer(dataset: Path, tmp_path: Path, one_model: None) -> None:
    done = forked.run("-m", "textseg.cli", "evaluate", dataset, "--head", "none", "--json", "-")
    assert (done.returncode, done.stderr) == (0, "")
    agrees(json.loads(done.stdout), scored(dataset, tmp_path))


def test_so_do_present_words(dataset: Path, tmp_path: Path, one_model: None) -> None:
    file = tmp_path / "scores.json"
    assert cli.main(["evaluate", str(dataset), "--words", "present", "--json", str(file)]) == 0
    agrees(json.loads(file.read_text()), scored(dataset, tmp_path, present=True))


def test_so_do_other_ways_to_answer_and_background_words(dataset: Path, tmp_path: Path, one_model: None) -> None:
    options = ("--by", "unit", "--refine", "none", "--templates", "plain", "--background", "flag, table")
    file = tmp_path / "scores.json"
    assert cli.main(["evaluate", str(dataset), "--json", str(file), *options]) == 0
    agrees(json.loads(file.read_text()), scored(dataset, tmp_path, options=options))


def test_the_table_goes_to_standard_output(dataset: Path, one_model: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(dataset), "--refine", "none", "--min-photos", "3"]) == 0
    output = capsys.readouterr()
    assert [line.split("  ")[0] for line in output.out.splitlines() if line][1:3] == ["wall-other", "mIoU"]
    assert output.err == ""


def test_a_photo_that_cannot_be_scored_ends_in_status_1(
    dataset: Path, tmp_path: Path, one_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "set"
    for file in dataset.rglob("*.*"):
        (broken / file.relative_to(dataset)).parent.mkdir(parents=True, exist_ok=True)
        (broken / file.relative_to(dataset)).write_bytes(file.read_bytes())
    (broken / "labels" / "coffee.png").unlink()
    assert cli.main(["evaluate", str(broken), "--refine", "none", "--json", "-"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["photos"] == 2
    assert output.err.count("\n") == 1
    assert output.err.startswith(f"{broken / 'images' / 'coffee.jpg'}: ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere is not a folder"),
        ([".", "--layout", "voc"], "There is no layout called 'voc'"),
        ([".", "--limit", "0"], "'0' is not a number from 1 up"),
    ],
)
def test_what_cannot_begin_ends_in_status_2_and_one_sentence(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = cli.main(["evaluate", *arguments])
    except SystemExit as stopped:  # argparse
        status = stopped.code
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert output.err.count("\n") == 1
    assert reason in output.err
