"""A readout is chosen where a head is trained, kept in its file, and taken from there when the head is used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import noise_photo
from tests.tiny_training import write_data
from textseg.cli import main
from textseg.errors import HeadError, TrainingError
from textseg.model import backbones, heads, load_model
from textseg.web.engine import Engine
from trainer import fit, recipes

TINY = ["steps=2", "batch=4", "sizes=[[32, 32]]"]


@pytest.fixture
def clip(tiny_clip: Callable) -> str:
    return f"clip:tiny//{tiny_clip()[1]}"


@pytest.fixture
def train(clip: str, tmp_path: Path) -> Callable[..., Path]:
    """`train("--readout", "clip")` trains a head on twelve photos by the command line and gives its file."""
    write_data(tmp_path / "data")

    def run(*options: str) -> Path:
        out = tmp_path / "head.safetensors"
        command = ["train", "--objective", "pacl", "--data", tmp_path / "data", "--backbone", clip, "--out", out]
        command += ["--cache", tmp_path / "cache", "--set", *TINY, *options]
        assert main([str(part) for part in command]) == 0
        return out

    return run


def test_a_head_remembers_the_readout_it_was_trained_on_and_is_used_with_it(train: Callable, clip: str) -> None:
    head = train("--readout", "clip")
    assert heads.read_facts(head)["backbone"]["readout"] == "clip"
    assert load_model(clip, head, "cpu").readout == "clip"
    assert load_model(clip, "none", "cpu").readout == "sc_clip"


def test_a_head_is_not_used_with_another_readout(train: Callable, clip: str) -> None:
    head = train("--readout", "clip")
    with pytest.raises(HeadError) as error:
        load_model(clip, head, "cpu", readout="maskclip")
    text = str(error.value)
    assert "'clip'" in text and "'maskclip'" in text and "--readout" in text and ". " not in text


def test_a_recipe_may_name_it_and_the_command_line_has_the_last_word(train: Callable, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("readout: naclip\n")
    named = ["--recipe", str(tmp_path / "recipe.yaml")]
    assert heads.trained_readout(train(*named)) == "naclip"
    assert heads.trained_readout(train(*named, "--readout", "gem")) == "gem"


def test_a_training_from_a_head_goes_on_with_its_readout(train: Callable) -> None:
    first = train("--readout", "clip")
    second = first.rename(first.with_name("first.safetensors"))
    assert heads.trained_readout(train("--head", str(second))) == "clip"


def test_a_loaded_backbone_with_another_readout_than_the_recipes_is_refused(clip: str, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    backbone = backbones.load(clip, "cpu", "maskclip")
    with pytest.raises(TrainingError, match="'maskclip'.*'clip'"):
        fit.train("pacl", tmp_path / "data", tmp_path / "h.safetensors", backbone, changes=[*TINY, "readout=clip"])


@pytest.mark.parametrize("objective", ["pacl", "afss", "corrections"])
def test_every_training_reads_it(objective: str) -> None:
    assert recipes.load(objective, changes=["readout=proxyclip:dinov2:small"]).readout == "proxyclip:dinov2:small"


def test_segment_writes_which_one_answered(train: Callable, clip: str, tmp_path: Path) -> None:
    noise_photo().save(tmp_path / "a.png")
    for options, readout in [(["--head", train("--readout", "clip")], "clip"), (["--readout", "naclip"], "naclip")]:
        command = [
            "segment",
            tmp_path / "a.png",
            "--words",
            "cat, sofa",
            "--out",
            tmp_path / readout,
            "--others",
            "none",
        ]
        assert main([str(part) for part in [*command, "--backbone", clip, *options]]) == 0
        assert json.loads((tmp_path / readout / "a.json").read_text())["readout"] == readout


def test_the_pages_are_served_with_the_readout_that_was_asked_for(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from textseg import web

    asked: dict[str, Any] = {}
    monkeypatch.setattr(web, "serve", lambda **options: asked.update(options))
    assert main(["serve", "--backbone", clip, "--readout", "naclip"]) == 0
    engine = Engine(asked["backbone"], asked["head"], readout=asked["readout"])
    engine.start(then=lambda model: None)
    assert engine.model().readout == "naclip" and engine.status()["readout"] == "naclip"


def test_a_backbone_without_readouts_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    noise_photo().save(tmp_path / "a.png")
    command = ["segment", tmp_path / "a.png", "--words", "cat", "--out", tmp_path / "out", "--readout", "clip"]
    assert main([str(part) for part in command]) == 2
    assert "no readouts" in capsys.readouterr().err
