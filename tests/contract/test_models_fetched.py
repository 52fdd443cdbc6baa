"""`textseg models fetch` and `pack`, against a hub on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny_sam
from tests.tiny_hub import Hub, serving
from textseg import downloads
from textseg import hub as models
from textseg.cli import main
from textseg.errors import Cancelled, WeightsError

NAME = "hf:someone/sam2-tiny"
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam2")
    tiny_sam.make("sam2").save_pretrained(folder)
    return folder


@pytest.fixture
def hub(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    with serving(monkeypatch, tmp_path / "hub") as served:
        served.add("someone/sam2-tiny", saved)
        yield served


def test_what_is_fetched_loads_without_asking_again(hub, capsys):
    from textseg.proposals import load_proposer

    assert models.size_here(NAME) is None
    assert main(["models", "fetch", NAME]) == 0
    assert "is here" in capsys.readouterr().out
    assert models.size_here(NAME) == sum(len(content) for content in hub.files["someone/sam2-tiny"].values())
    assert models.proposes(NAME)
    asked = len(hub.asked)
    assert load_proposer(NAME, "cpu").name == NAME
    assert main(["models", "fetch", NAME]) == 0 and len(hub.asked) == asked


def test_a_connection_that_breaks_is_gone_on_with(hub):
    hub.breaks_after = 5000
    hub.files["someone/sam2-tiny"] = {WEIGHTS: hub.files["someone/sam2-tiny"][WEIGHTS], "config.json": b"{}"}
    models.fetch(NAME)
    assert hub.sent(WEIGHTS) == ["bytes=0-", "bytes=5000-"]


def test_a_download_that_was_stopped_keeps_what_came_and_goes_on_there(hub):
    told: list[tuple[int, int]] = []
    with pytest.raises(Cancelled, match="stays, and the next try goes on"):
        models.fetch(NAME, progress=lambda done, all: told.append((done, all)), stopped=lambda: told[-1][0] > 9000)
    assert models.size_here(NAME) is None
    models.fetch(NAME)
    assert models.size_here(NAME) == told[-1][1]
    assert hub.sent(WEIGHTS)[-1] != "bytes=0-"


def test_what_came_damaged_is_removed_and_fetched_anew(hub):
    with pytest.raises(Cancelled):
        models.fetch(NAME, stopped=lambda: True)
    size = len(hub.files["someone/sam2-tiny"][WEIGHTS])
    for part in Path(hub.cache).rglob("*.part"):
        part.write_bytes(b"x" * (size - 10))
    with pytest.raises(WeightsError, match="damaged and was removed"):
        models.fetch(NAME)
    models.fetch(NAME)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf:someone/gated", "is gated: accept its terms"),
        ("hf:someone/nothing", "There is no repository someone/nothing"),
        ("hf:someone", "reads OWNER/NAME"),
        ("nonsense", "There is no model called"),
        ("clip:ViT-B-16/nonsense", "open_clip knows no weights 'nonsense'"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(hub, capsys, name, said):
    hub.files["someone/gated"] = dict(hub.files["someone/sam2-tiny"])
    hub.gated.add("someone/gated")
    assert main(["models", "fetch", name]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_without_a_network_it_is_said_what_to_do(hub, capsys, monkeypatch):
    monkeypatch.setattr("textseg.model.weights.reachable", lambda endpoint: False)
    assert main(["models", "fetch", NAME]) == 2
    assert "cannot be reached; connect once, name a mirror by HF_ENDPOINT" in capsys.readouterr().err


def test_one_that_cannot_be_had_does_not_keep_the_others(hub, capsys):
    assert main(["models", "fetch", "hf:someone/nothing", NAME, "lite"]) == 1
    told = capsys.readouterr()
    assert f"{NAME} is here" in told.out and "lite needs nothing of the hub" in told.out


def test_a_packed_model_loads_on_a_machine_without_network(hub, tmp_path, capsys):
    assert main(["models", "pack", str(tmp_path / "stick"), NAME]) == 0
    assert f"HF_HUB_OFFLINE=1 textseg serve --proposals {NAME}" in capsys.readouterr().out
    assert not [path for path in (tmp_path / "stick").rglob("*") if path.is_symlink()]
    there = os.environ | {"HF_HUB_CACHE": str(tmp_path / "stick"), "HF_HUB_OFFLINE": "1"}
    code = f"from textseg.proposals import load_proposer; print(load_proposer({NAME!r}, 'cpu').name)"
    made = subprocess.run([sys.executable, "-c", code], env=there, capture_output=True, text=True)
    assert made.stdout.strip() == NAME, made.stderr


def test_there_is_nothing_to_pack_of_what_is_installed(hub, tmp_path, capsys):
    assert main(["models", "pack", str(tmp_path / "stick"), "lite"]) == 2
    assert "There is nothing of the hub to pack" in capsys.readouterr().err
