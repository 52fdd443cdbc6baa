"""`textseg train` survives `kill -9`."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file
from torch.testing import assert_close

from tests.tiny import TinyBackbone
from tests.tiny_training import write_data
from trainer import fit

ROOT = Path(__file__).parents[2]
SETTINGS = {"batch": 4, "steps": 30, "checkpoint_every": 4, "lr": 1e-2}


def train(tmp_path, *options, **environment):
    settings = [f"{key}={value}" for key, value in SETTINGS.items()]
    command = [sys.executable, "-m", "tests.tiny_training", "--objective", "tiny", "--backbone", "tiny"]
    command += ["--data", tmp_path / "data", "--out", tmp_path / "head.safetensors", "--cache", tmp_path / "cache"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [*command, "--set", *settings, *options], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=120
    )


def test_a_killed_training_resumes_to_the_loss_of_one_that_was_never_killed(tmp_path):
    write_data(tmp_path / "data")
    whole = tmp_path / "whole.safetensors"
    fit.train(
        "tiny", tmp_path / "data", whole, TinyBackbone(), SETTINGS, cache=tmp_path / "other", say=lambda text: None
    )

    killed = train(tmp_path, DIE_AT="15")
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "head.safetensors").exists()
    resumed = train(tmp_path, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "Going on after step 12 of 30" in resumed.stderr and "12 photos are there already" in resumed.stderr

    def losses(name):
        with (tmp_path / name).open(newline="") as file:
            return [float(row["loss"]) for row in csv.DictReader(file)]

    assert_close(losses("head.csv"), losses("whole.csv"), atol=1e-5, rtol=1e-5)
    tensors, expected = load_file(tmp_path / "head.safetensors"), load_file(whole)
    assert_close(tensors, expected, atol=1e-5, rtol=1e-5)
