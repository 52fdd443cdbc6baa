"""The wheel works away from the checkout, in a fresh environment that has the packages but not this folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--no-deps", "-q"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that the checkout gets no `build` folder."""
    source, folder = tmp_path_factory.mktemp("source") / "textseg", tmp_path_factory.mktemp("dist")
    left_out = (".git", ".venv", "tests", "docs", "benchmarks", "__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*left_out))
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, source)
    return next(folder.glob("textseg-*.whl"))


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs the installed `textseg` in an empty folder."""
    home, elsewhere = tmp_path_factory.mktemp("venv"), tmp_path_factory.mktemp("elsewhere")
    venv.create(home, with_pip=False)
    paths = {"base": str(home), "platbase": str(home), "installed_base": str(home)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    pip("--python", home / "bin" / "python", "install", "--no-index", wheel)
    # The packages that this environment has, but not the `.pth` of its editable install.
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def textseg(*arguments):
        command = [home / "bin" / "textseg", *arguments]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True)

    textseg.folder = elsewhere
    return textseg


def test_every_asset_travels_in_the_wheel(wheel):
    travelling = set(zipfile.ZipFile(wheel).namelist())
    assets = {p.relative_to(ROOT) for p in (ROOT / "assets").rglob("*") if p.is_file()}
    assert assets
    assert {f"textseg/{path.as_posix()}" for path in assets} <= travelling


def test_the_wheel_holds_the_program_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"textseg", "trainer"}


def test_the_wheel_names_every_requirement(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        lines = archive.read(name).decode().splitlines()
    named = {line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert len(named) == len([line for line in lines if line and not line.startswith("#")])


def test_help_lists_the_commands(run):
    shown = run("--help")
    assert shown.returncode == 0
    assert all(command in shown.stdout for command in ("serve", "segment", "evaluate", "space", "doctor"))


def test_doctor_finds_the_embedded_backbone(run):
    shown = run("doctor", "--json")
    assert shown.returncode == 0, shown.stderr
    report = json.loads(shown.stdout)
    assert next(b for b in report["backbones"] if b["name"] == "lite")["loads"]


def test_a_photo_is_labelled_outside_the_checkout(run, cat_photo):
    done = run("segment", str(cat_photo), "--words", "cat, sofa", "--out", "labels")
    assert done.returncode == 0, done.stderr
    labels = np.asarray(Image.open(run.folder / "labels" / "cat.png"))
    assert labels.shape == (300, 451)
    assert set(np.unique(labels)) <= {0, 1, 2}
    facts = json.loads((run.folder / "labels" / "cat.json").read_text())
    assert [c["name"] for c in facts["classes"]] == ["cat", "sofa"]
