"""`textseg train` survives `kill -9`."""

import argparse
import csv
import os
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from tests import forked
from tests.tiny import TinyBackbone
from tests.tiny_training import write_data
from textseg.commands import train as train_command
from textseg.errors import TrainingError
from trainer import fit
from trainer.rehearsal import whole_step

ROOT = Path(__file__).parents[2]
SETTINGS = {"batch": 4, "steps": 30, "checkpoint_every": 4, "lr": 1e-2}


def train(tmp_path, *options, **environment):
    settings = [f"{key}={value}" for key, value in SETTINGS.items()]
    command = ["-m", "tests.tiny_training", "--objective", "tiny", "--backbone", "tiny"]
    command += ["--data", tmp_path / "data", "--out", tmp_path / "head.safetensors", "--cache", tmp_path / "cache"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return forked.run(*command, "--set", *settings, *options, cwd=ROOT, env=environment)


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


def test_a_dry_run_tells_bytes_and_time_and_trains_nothing(tmp_path, capsys):
    write_data(tmp_path / "data")
    (tmp_path / "data" / "images" / "0.png").write_bytes(b"no picture")
    for objective, parts in (
        ("pacl", ("24 different captions", "Training: 9 steps of 4 photos")),
        ("tiny-labels", ("Masks: 12 photos", "The teacher's look: 12 photos", "Training: 9 steps of 4 photos")),
    ):
        arguments = ["--objective", objective, "--backbone", "tiny", "--data", str(tmp_path / "data"), "--dry-run"]
        arguments += ["--out", str(tmp_path / "head.safetensors"), "--cache", str(tmp_path / "cache")]
        assert cli_train(*arguments, "--set", "batch=4", "steps=9") == 0
        told = capsys.readouterr().err
        assert "12 photos with 24 captions" in told and "Encoding: 12 photos at" in told and "to be written" in told
        assert all(part in told for part in parts), told
        assert "All together about" in told
    assert not list(tmp_path.glob("head.*"))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_dry_run_of_corrections_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="takes seconds"):
        cli_train("--objective", "corrections", "--data", str(tmp_path), "--out", "head.safetensors", "--dry-run")


def test_a_step_too_long_to_try_is_worked_out_from_two_small_ones():
    def seconds(photos):
        return 0.5 * photos + 0.02 * photos**2

    assert whole_step(1024, (2, seconds(2)), (4, seconds(4))) == pytest.approx(seconds(1024))
    assert whole_step(100, (2, 1.0), (4, 1.0)) == pytest.approx(25.0)  # by the larger of the two


def cli_train(*arguments):
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return train_command.run(parser.parse_args(arguments))
