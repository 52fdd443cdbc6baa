"""`accelerate launch` with two CPU processes trains as one process does.

Of its flags only `--multi_gpu` starts several processes on one machine without MPI, also where there is no GPU.
"""

import csv
import json
import os
from pathlib import Path

import pytest
from safetensors.torch import load_file, safe_open
from torch.testing import assert_close

from tests import forked
from tests.tiny import TinyBackbone
from tests.tiny_training import write_data
from trainer import fit

ROOT = Path(__file__).parents[2]
SETTINGS = {"batch": 5, "steps": 8, "lr": 1e-2, "checkpoint_every": 3}


def read(path):
    with path.open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


LABELLED = {"words": "cat,dog,sky", "proposer": "halves", "confidence": 0.0, "margin": 0.0, "packing": "int8"}


@pytest.mark.parametrize(
    ("objective", "limit", "more"),
    [("tiny", "1GB", {}), ("tiny", "0", {}), ("tiny-labels", "1GB", LABELLED)],
    ids=["cached", "encoding every step", "pseudo-labels, a byte a channel"],
)
def test_two_processes_have_the_loss_of_one(tmp_path, objective, limit, more):
    write_data(tmp_path / "data")
    (tmp_path / "data" / "images" / "7.png").write_bytes(b"no picture")
    (tmp_path / "data" / "images" / "8.png").unlink()
    chosen = SETTINGS | more
    one = fit.train(
        objective, tmp_path / "data", tmp_path / "one.safetensors", TinyBackbone(), chosen,
        cache=tmp_path / "one", say=lambda text: None,
    )  # fmt: skip
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += [
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
        "-m",
        "tests.tiny_training",
    ]
    options = ["--objective", objective, "--backbone", "tiny", "--data", tmp_path / "data", "--cache-limit", limit]
    options += ["--out", tmp_path / "two.safetensors", "--cache", tmp_path / "two"]
    settings = ["--set", *(f"{key}={value}" for key, value in chosen.items())]
    two = forked.run(*launch, *options, *settings, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert two.returncode == 0, two.stderr
    assert two.stderr.count("8 steps of 5 photos") == 1  # one process speaks
    assert read(tmp_path / "two.csv") == pytest.approx(read(tmp_path / "one.csv"), abs=1e-4)
    assert_close(load_file(tmp_path / "two.safetensors"), load_file(tmp_path / "one.safetensors"), atol=1e-4, rtol=1e-3)
    (features,) = (tmp_path / "two").glob("tiny-*")
    assert len(list(features.glob("*.safetensors"))) == (2 if limit == "1GB" else 0)  # each encoded its share
    with safe_open(tmp_path / "two.safetensors", framework="pt") as file:
        two_facts = json.loads(file.metadata()["textseg"])
    assert two_facts["steps"] == 8 and two_facts["data"] == one["data"]
    assert one["data"]["skipped"] == {"missing photos": 1, "unreadable photos": 1}
