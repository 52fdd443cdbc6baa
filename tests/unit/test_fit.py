import csv
import math

import pytest
import torch
from PIL import Image

from tests.tiny import TinyBackbone
from tests.tiny_training import write_data
from textseg.commands.train import byte_count
from textseg.errors import Cancelled, DatasetError, PhotoError, TrainingError, UnknownNameError
from textseg.model import Model, heads
from trainer import fit, loop

RECIPE = {"batch": 4, "steps": 8, "checkpoint_every": 3, "lr": 1e-2}


@pytest.fixture
def folder(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def train(tmp_path, folder):
    """Train the tiny head on the tiny data; -> the facts of the head file. `said` collects what a person is told."""

    def run(objective="tiny", name="head", recipe=(), **options):
        said = []
        options = {
            "data": folder,
            "backbone": TinyBackbone(),
            "cache": tmp_path / "cache",
            "say": said.append,
            **options,
        }
        run.said = said
        return fit.train(objective, out=tmp_path / f"{name}.safetensors", recipe={**RECIPE, **dict(recipe)}, **options)

    return run


def log(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def losses(path):
    return [float(row["loss"]) for row in log(path)]


def test_a_training_leaves_a_head_that_loads_a_log_and_a_picture(tmp_path, train):
    facts = train(recipe={"steps": 40})
    head = heads.load(tmp_path / "head.safetensors", TinyBackbone())
    assert head(torch.randn(1, 24, 4, 5)).shape == (1, 16, 4, 5)
    values = losses(tmp_path / "head.csv")
    assert len(values) == 40 and facts["scores"]["loss"] == values[-1]
    assert sum(values[-10:]) < sum(values[:10])
    assert Image.open(tmp_path / "head.png").size[0] > 300
    assert not (tmp_path / "head.checkpoint").exists()


def test_the_head_file_tells_how_it_was_made(tmp_path, train):
    train(recipe={"seed": 5})
    facts = heads.read_facts(tmp_path / "head.safetensors")
    assert (facts["objective"], facts["seed"], facts["steps"]) == ("tiny", 5, 8)
    assert facts["recipe"]["lr"] == 1e-2 and facts["recipe"]["batch"] == 4
    assert facts["data"]["photos"] == 12 and facts["data"]["captions"] == 24 and len(facts["data"]["fingerprint"]) == 16
    assert facts["backbone"]["weights"] == TinyBackbone.weights_hash


def test_the_same_seed_gives_the_same_head_and_another_one_another(tmp_path, train):
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        train(name=name, recipe={"seed": seed})
    assert losses(tmp_path / "one.csv") == losses(tmp_path / "same.csv") != losses(tmp_path / "other.csv")


def test_a_training_from_nothing_cached_is_that_from_the_cache(tmp_path, train):
    train(name="cached")
    train(name="fresh", cache_limit=0, cache=tmp_path / "another")
    assert losses(tmp_path / "fresh.csv") == pytest.approx(losses(tmp_path / "cached.csv"), abs=1e-4)


def test_a_stopped_training_goes_on_where_it_was(tmp_path, train):
    train(name="whole")
    seen = []
    with pytest.raises(Cancelled, match="after step 5 of 8"):
        train(watch=seen.append, cancel=lambda: len(seen) == 5)
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5] and seen[0].seconds_left > 0
    assert "contrast" in seen[0].terms
    train(resume=True, watch=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 9))
    assert losses(tmp_path / "head.csv") == losses(tmp_path / "whole.csv")
    tensors = [heads.load(tmp_path / f"{name}.safetensors", TinyBackbone()).state_dict() for name in ("head", "whole")]
    assert all(torch.equal(tensors[0][key], tensors[1][key]) for key in tensors[1])


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path, train):
    with pytest.raises(TrainingError, match=r"loss is nan at step 6 of 8.*last good checkpoint.*lower lr"):
        train(recipe={"objective": {"poison": 5}})
    checkpoint = torch.load(tmp_path / "head.checkpoint", weights_only=True)
    assert checkpoint["step"] == 3 and all(t.isfinite().all() for t in checkpoint["weights"].values())
    assert len(log(tmp_path / "head.csv")) == 5 and not (tmp_path / "head.safetensors").exists()


def test_gradients_that_are_no_numbers_are_not_learnt(tmp_path, train, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss, **_: None)
    monkeypatch.setattr(loop.Loop, "_average_gradients", lambda run: poison(run.parameters))

    def poison(parameters):
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, math.inf)

    with pytest.raises(TrainingError, match="gradient is"):
        train()


def test_an_unfinished_training_is_not_begun_anew_by_oversight(tmp_path, train):
    with pytest.raises(Cancelled):
        train(cancel=lambda: (tmp_path / "head.checkpoint").exists())
    with pytest.raises(TrainingError, match="go on with --resume"):
        train()
    with pytest.raises(TrainingError, match=r"belongs to another training \(other: lr, seed\)"):
        train(recipe={"lr": 1, "seed": 3}, resume=True)
    train(recipe={"seed": 3})
    assert len(losses(tmp_path / "head.csv")) == 8


def test_resuming_with_nothing_to_resume_starts_from_the_beginning_once(train):
    facts = train(resume=True)
    assert any("starts from the beginning" in line for line in train.said)
    backbone = TinyBackbone()
    assert train(resume=True, backbone=backbone)["scores"] == facts["scores"]
    assert backbone.encoded == 0 and any("this training is done" in line for line in train.said)


def test_a_photo_that_vanishes_on_the_way_costs_no_step(tmp_path, folder, train):
    train(name="whole")

    def lose(progress):
        if progress.step == 5:
            (folder / "images").rename(tmp_path / "away")

    with pytest.raises(PhotoError):
        train(cache_limit=0, cache=tmp_path / "another", watch=lose)
    (tmp_path / "away").rename(folder / "images")
    train(cache_limit=0, cache=tmp_path / "another", resume=True)
    assert any("Going on after step" in line for line in train.said)
    assert losses(tmp_path / "head.csv") == pytest.approx(losses(tmp_path / "whole.csv"), abs=1e-4)


def test_a_head_to_start_from_has_its_own_settings(tmp_path, train):
    train(name="first", recipe={"steps": 1})
    with pytest.raises(TrainingError, match="first.safetensors has its own settings; leave out the recipe's 'head'"):
        train(name="second", head=tmp_path / "first.safetensors", recipe={"head": {"width": 3}})


def test_the_trained_logit_scale_goes_with_the_head(tmp_path, train):
    facts = train("pacl", recipe={"steps": 3, "lr": 0.1})
    backbone = TinyBackbone()
    head = heads.load(tmp_path / "head.safetensors", backbone)
    trained = float(log(tmp_path / "head.csv")[-1]["_logit_scale"])
    assert head.logit_scale != backbone.logit_scale and abs(head.logit_scale - trained) < 5
    assert facts["steps"] == 3 and Model(backbone, head, "trained").logit_scale == head.logit_scale


def test_a_training_may_start_from_a_head(tmp_path, train):
    train(name="first", recipe={"steps": 40})
    train(name="second", head=tmp_path / "first.safetensors", recipe={"steps": 1, "lr": 0})
    first, second = (heads.load(tmp_path / f"{name}.safetensors", TinyBackbone()) for name in ("first", "second"))
    assert torch.equal(first.map.weight, second.map.weight)


def test_pseudo_labels_train_a_head_without_captions(tmp_path, folder, train):
    (folder / "captions.tsv").unlink()
    for photo in sorted((folder / "images").iterdir())[3:]:
        photo.unlink()
    facts = train("tiny-labels", recipe={"words": ["cat", "dog", "sky"], "confidence": 0.0, "margin": 0.0})
    assert facts["data"]["captions"] == 0 and math.isfinite(facts["scores"]["loss"])
    with pytest.raises(TrainingError, match="No patch was labelled"):
        train("tiny-labels", name="none", recipe={"words": ["cat"], "confidence": 1.1})


def test_photos_that_cannot_be_used_are_counted_before_the_first_step(folder, train):
    (folder / "images" / "3.png").unlink()
    (folder / "images" / "4.png").write_bytes(b"no picture")
    facts = train()
    assert facts["data"]["skipped"] == {"missing photos": 1, "unreadable photos": 1} and facts["data"]["photos"] == 10
    assert any("1 photos cannot be read" in line and "4.png" in line for line in train.said)


def test_what_cannot_work_is_refused_before_anything_is_encoded(tmp_path, folder, train):
    backbone = TinyBackbone()
    with pytest.raises(TrainingError, match="ending"):
        fit.train("tiny", folder, tmp_path / "head.pt", backbone)
    with pytest.raises(TrainingError, match="section does not fit.*colour"):
        train(backbone=backbone, recipe={"objective": {"colour": 3}})
    with pytest.raises(UnknownNameError, match="no proposer called 'magic'"):
        train("tiny-labels", backbone=backbone, recipe={"proposer": "magic"})
    (folder / "captions.tsv").write_text("")
    with pytest.raises(DatasetError, match="no photo to train on"):
        train(backbone=backbone)
    assert backbone.encoded == 0


def test_several_sizes_take_turns(tmp_path, train):
    train(recipe={"sizes": [[64, 64], [80, 64]]})
    assert any("at 64 x 64, 80 x 64" in line for line in train.said)
    assert len(list((tmp_path / "cache").glob("tiny-*"))) == 2


def test_the_learning_rate_rises_then_falls_to_its_floor():
    rates = [loop.schedule(step, 100, 0.1, 0.2) for step in range(100)]
    assert rates[0] == 0.1 and rates[9] == rates[10] == 1.0
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False)) and rates[-1] == pytest.approx(
        0.2, abs=1e-3
    )
    assert loop.schedule(0, 1, 0.05, 0.0) == 1.0


@pytest.mark.parametrize(("text", "count"), [("20GB", 20e9), ("1.5 gb", 1.5e9), ("500MB", 5e8), ("7", 7), ("3k", 3000)])
def test_sizes_are_read_as_people_write_them(text, count):
    assert byte_count(text) == count


@pytest.mark.parametrize("text", ["", "B", "many", "-1GB", "nan", "inf"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(Exception, match="is no size"):
        byte_count(text)
