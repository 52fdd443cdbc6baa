"""docs/extending.md: each recipe, taken from the page, put into place and run as the page says."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import forked
from tests.extending import COMMANDS, FILES, copied, written
from tests.tiny import noise_photo
from textseg.labelmap import read_index_png


def command(beginning):
    """The arguments of the page's command that begins so."""
    (found,) = [line for line in COMMANDS if line.startswith(beginning)]
    return shlex.split(found)


@pytest.fixture
def textseg(tmp_path, monkeypatch):
    """Runs commands of a copy of the tree, in an empty folder: a recipe is put into `textseg.tree`."""
    tree = copied(tmp_path / "tree")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", f"{tree}:{tmp_path / 'site'}")

    def run(*arguments):
        ran = forked.run("-m", "textseg.cli", *arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run.tree, run.site = tree, tmp_path / "site"
    return run


@pytest.fixture
def my_lab(textseg, tmp_path):
    """The package of one's own, installed beside the copy."""
    source = tmp_path / "my-lab"
    written("my_lab/hue.py", source)
    written("pyproject.toml", source)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps"]
    subprocess.run([sys.executable, *pip, "--target", textseg.site, source], check=True)


def test_a_backbone_of_an_installed_package_segments_photos(textseg, my_lab):
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[:, :48] = (200, 30, 40)
    photo[:, 48:] = (30, 40, 200)
    Image.fromarray(photo).save("photo.png")
    assert re.search(r"^  hue +Hue$", textseg(*command("models")), re.MULTILINE)
    textseg(*command("segment photo.png"))
    ids = read_index_png(Path("labels/photo.png"))
    assert (ids[:, :44] == 1).all() and (ids[:, 52:] == 2).all()


def test_an_objective_in_the_tree_trains_a_head(textseg, my_lab):
    written("trainer/objectives/pooled.py", textseg.tree)
    for k, colour in enumerate(("red", "green", "blue", "yellow") * 2):
        path = Path(f"photos/{k}.png")
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), colour).save(path)
    lines = (f"{k}.png\t{colour}" for k, colour in enumerate(("red", "green", "blue", "yellow") * 2))
    Path("photos/captions.tsv").write_text("\n".join(lines))
    textseg(*command("train --objective pooled"))
    shown = textseg(
        "segment",
        "photos/0.png",
        "--words",
        "red, blue",
        "--backbone",
        "hue",
        "--head",
        "head.safetensors",
        "--out",
        "o",
    )
    assert shown == "" and Path("o/0.png").is_file()


def test_a_format_in_the_tree_goes_out_and_in(textseg):
    written("textseg/formats/npy.py", textseg.tree)
    given = Path("given")
    for folder in ("images", "labels"):
        (given / folder).mkdir(parents=True)
    noise_photo(40, 30).save(given / "images/one.png")
    ids = np.zeros((30, 40), np.uint8)
    ids[:10], ids[20:] = 1, 2
    Image.fromarray(ids).save(given / "labels/one.png")
    (given / "classes.txt").write_text("1\tcat\n2\tsofa\n")
    for project in ("my-project", "another-project"):
        textseg("project", "new", project, "--words", "sofa")
    textseg("import", str(given), "--format", "png", "--into", "my-project")
    textseg(*command("export my-project --format npy"))
    assert np.load("arrays/labels/one.npy").dtype == np.uint8
    textseg(*command("import arrays"))
    classes = {}
    for project in ("my-project", "another-project"):
        status = json.loads(textseg("project", "status", project, "--json"))
        classes[project] = {row["name"]: row["pixels"] for row in status["classes"]}
    assert classes["my-project"] == classes["another-project"] == {"cat": 400, "sofa": 400}


def test_every_example_of_the_page_is_run_here():
    tests = [Path(__file__), Path(__file__).parents[1] / "browser/test_extending.py"]
    mine = "".join(path.read_text("utf-8") for path in tests)
    assert all(f'"{name}"' in mine for name in FILES)
    assert all(any(f'command("{line[:k]}")' in mine for k in range(len(line) + 1)) for line in COMMANDS)
