"""docs/training.md: its commands, in their order, on tiny data with tiny random models."""

import io
import json
import re
import shlex
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from accelerate.commands.launch import launch_command_parser
from huggingface_hub.constants import ENDPOINT
from PIL import Image

from tests import tiny_sam
from tests.tiny import noise_photo
from textseg import hub as downloads
from textseg.cli import main
from textseg.model import heads
from textseg.proposals import Proposer, load_proposer
from trainer import diagnostics, fit

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/training.md").read_text("utf-8")
COMMANDS: list[str] = re.findall(r"^    ((?:textseg|python|accelerate|hf|mkdir) .+)$", PAGE, re.MULTILINE)
CLIP, DINO, SAM = "clip:ViT-B-16/openai", "dinov2:base", "hf:facebook/sam-vit-base"
WORDS = ("a dog on the grass", "two cats and a ball", "a red car on a road", "a boat", "the sky over a house")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_clip: Callable, tiny_dino: Any) -> dict[str, str]:
    """A folder with what the page speaks of, and what stands for the real models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("cc3m", "cc12m"):
        shards(tmp_path / name, seed=100 * len(name))
    photos(tmp_path / "coco_stuff164k/images/train2017", 2)
    photos(tmp_path / "images", 8)
    lines = [f"{k}.jpg\t{WORDS[k % 5]} number {k}" for k in range(8)]
    (tmp_path / "captions.tsv").write_text("\n".join(lines))
    noise_photo(96, 64).save(tmp_path / "photo.jpg")
    sets(tmp_path / "sets")
    tiny_sam.save("sam", tmp_path / "sam")
    clip = f"clip:tiny//{tiny_clip()[1]}"
    return {DINO: f"dinov2:small//{tiny_dino[1]}", CLIP: clip, SAM: f"hf:{tmp_path / 'sam'}"}


def easily_sure(name: str, device: str | None = None) -> Proposer:
    """A proposer that looks at few points and is content with what a random model draws there."""
    proposer: Any = load_proposer(name, device)
    easy = {"points_per_side": 2, "pred_iou_thresh": -9.0, "stability_score_thresh": 0.0, "box_nms_thresh": 0.999}
    proposer.settings = replace(proposer.settings, **easy)
    return proposer


def photos(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        noise_photo(64, 48, seed=k).save(folder / f"{k}.jpg")


def shards(folder: Path, seed: int) -> None:
    """Two, as img2dataset writes them, with the tables that it puts beside them."""
    folder.mkdir()
    for number in range(2):
        with tarfile.open(folder / f"{number:05}.tar", "w") as archive:
            for k in range(5):
                key, picture = f"{number:05}{k:04}", io.BytesIO()
                noise_photo(64, 48, seed=seed + 10 * number + k).save(picture, "JPEG")
                facts = {"caption": WORDS[k], "url": "https://example.org/a.jpg", "key": key, "status": "success"}
                for ending, content in (
                    ("jpg", picture.getvalue()),
                    ("json", json.dumps(facts).encode()),
                    ("txt", WORDS[k].encode()),
                ):
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        (folder / f"{number:05}_stats.json").write_text("{}")
        (folder / f"{number:05}.parquet").write_bytes(b"PAR1")


def sets(root: Path) -> None:
    """One photo of each of the published sets."""
    coco, ade, city = "coco_stuff164k", "ADEChallengeData2016", "cityscapes"
    places = [
        ("VOC2012/JPEGImages/a.jpg", "VOC2012/SegmentationClass/a.png", (1, 8)),
        ("VOC2010/JPEGImages/a.jpg", "VOC2010/SegmentationClassContext/a.png", (1, 16)),
        (f"{coco}/images/val2017/a.jpg", f"{coco}/annotations/val2017/a.png", (0, 16)),
        (f"{ade}/images/validation/a.jpg", f"{ade}/annotations/validation/a.png", (1, 5)),
        (f"{city}/leftImg8bit/val/ulm/a_leftImg8bit.png", f"{city}/gtFine/val/ulm/a_gtFine_labelIds.png", (7, 23)),
    ]  # fmt: skip
    for photo, label, ids in places:
        for path in (root / photo, root / label):
            path.parent.mkdir(parents=True, exist_ok=True)
        noise_photo(48, 40).save(root / photo)
        truth = np.full((40, 48), ids[0], np.uint8)
        truth[:, 24:] = ids[1]
        Image.fromarray(truth).save(root / label)
    for name, kind in (("VOC2012", "Segmentation"), ("VOC2010", "SegmentationContext")):
        (root / name / "ImageSets" / kind).mkdir(parents=True)
        (root / name / "ImageSets" / kind / "val.txt").write_text("a\n")


@pytest.fixture
def run(world: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Runs a command of the page with small models, few photos a step and few steps in place of the real ones."""
    fetched: list[str] = []
    monkeypatch.setattr(downloads, "fetch", lambda name, *_, **__: fetched.append(name))
    uploaded: list[dict] = []
    monkeypatch.setattr(
        huggingface_hub.HfApi, "create_repo", lambda *_, **__: huggingface_hub.RepoUrl(f"{ENDPOINT}/a/b")
    )

    def upload(self: Any, **told: Any) -> Any:
        uploaded.append(told)
        return huggingface_hub.CommitInfo(f"{ENDPOINT}/a/b/commit/c", "m", "", "o")

    monkeypatch.setattr(huggingface_hub.HfApi, "upload_file", upload)
    monkeypatch.setattr(fit, "load_proposer", easily_sure)
    small = ["batch=4", "sizes=[[32, 32]]", f"teacher_backbone={world[CLIP]}", f"proposer={world[SAM]}"]

    def one(line: str) -> None:
        for real, tiny in world.items():
            line = line.replace(real, tiny)
        program, *arguments = shlex.split(line)
        if program == "accelerate":  # that several processes train as one is tests/contract/test_train_two_processes.py
            assert arguments[0] == "launch"
            launched = launch_command_parser().parse_args(arguments[1:])
            assert launched.module and launched.multi_gpu and launched.training_script == "textseg.cli"
            program, arguments = "textseg", launched.training_script_args
        if program == "mkdir":
            Path(*arguments).mkdir()
        elif program == "python" and arguments[0] == "-c":
            exec(arguments[1], {})
        elif program == "python":
            assert arguments[:2] == ["-m", "trainer.diagnostics"]
            assert diagnostics.main(arguments[2:]) == 0
        elif program == "hf":
            from huggingface_hub.cli.hf import app

            given = [*arguments, "--help"] if arguments[0] == "download" else arguments
            assert app(given, standalone_mode=False) in (None, 0)
        else:
            if arguments[0] == "train":
                labels = "afss" in arguments
                shrunk = small if labels else small[:2]
                arguments += ["--set", *shrunk, *([] if "--set" in arguments else ["steps=2"])]
                arguments += ["objective.k_n=2"] if "mgca" in arguments else []
                arguments += ["head.width=48"] if "mixreorg" in arguments else []
                arguments += ["confidence=0", "margin=0", "words=dog, cat, car"] if labels else []
                arguments = ["steps=3" if one == "steps=2000" else one for one in arguments]
            assert main(arguments) == 0

    yield one
    assert set(fetched) <= set(world.values())
    assert all(told["path_in_repo"] == "pacl.safetensors" for told in uploaded)


def test_every_command_of_the_page_runs(run, capsys):
    assert len(COMMANDS) > 20
    for line in COMMANDS:
        run(line)
        said = capsys.readouterr()
        if "--dry-run" in line:
            assert "10 photos with 10 captions" in said.err and "Nothing was encoded" in said.err
            assert not Path("heads/trial.safetensors").exists()
        if "--prepare" in line:
            assert "Everything is prepared" in said.err and not Path("heads/trial.safetensors").exists()
        if "steps=10" in line:
            assert "10 photos are there already" in said.err
            assert heads.read_facts(Path("heads/trial.safetensors"))["steps"] == 10
    afss = heads.read_facts(Path("heads/afss.safetensors"))
    assert afss["backbone"]["name"].startswith("dinov2:") and "+clip:" in afss["backbone"]["name"]
    assert afss["recipe"]["proposer"].startswith("hf:") and afss["recipe"]["teacher_readout"] == "sc_clip"
    assert len(list(Path("scores").glob("*.json"))) == 8


def test_the_page_names_every_full_size_recipe():
    for recipe in (ROOT / "trainer/recipes").glob("*.yaml"):
        if recipe.stem != "corrections":
            assert recipe.name in PAGE and f"--objective {recipe.stem}" in PAGE
