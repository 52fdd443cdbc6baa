"""What presence is told from is fitted to captions and names, and goes into the head's file."""

from pathlib import Path

import numpy as np
import pytest

from tests.tiny import TinyBackbone, noise_photo
from textseg.errors import TrainingError
from textseg.model import Model, heads
from textseg.model.calibration import Calibration
from textseg.model.heads.pacl import PACLHead
from trainer import data
from trainer.nouns import default_nouns
from trainer.recipes.others.fit import SHARE, fit, log_loss, logistic, write
from trainer.recipes.others.questions import PLACES, Questions, gather, named
from trainer.store import ArrayStore


def test_a_noun_is_there_when_two_captions_name_it() -> None:
    captions = ["A dog runs in the snow.", "Dogs on a hill", "An animal outside"]
    there, said = named(captions, default_nouns())
    assert there == ["dog"] and {"dog", "snow", "hill"} <= set(said)


def test_an_objects_name_is_there_though_it_is_on_no_list() -> None:
    assert named(["great white shark"], default_nouns()) == (["great white shark"], ["great white shark"])


def test_the_coefficients_are_those_that_made_the_answers() -> None:
    draw, true = np.random.default_rng(0), (1.0, 0.5, -0.25)
    rows = draw.normal(0, 4, (20_000, 2))
    there = draw.random(len(rows)) < 1 / (1 + np.exp(-(true[0] + rows @ np.array(true[1:]))))
    fitted = logistic(rows, there)
    np.testing.assert_allclose(fitted, true, atol=0.06)


def test_what_never_overlaps_gives_finite_coefficients() -> None:
    rows = np.column_stack([np.r_[np.full(50, -9.0), np.full(50, 9.0)], np.zeros(100)])
    constant, local, _ = logistic(rows, np.arange(100) >= 50)
    assert np.isfinite(constant) and 0 < local < 10


def test_too_few_nouns_are_refused_in_one_sentence() -> None:
    with pytest.raises(TrainingError, match="3 nouns are there and 97 are not"):
        logistic(np.zeros((100, 2)), np.arange(100) < 3)


def made(n: int, true: Calibration, seed: int = 0) -> Questions:
    """Pairs of photos in which a place is right as often as `true` says; only a share of the first may be."""
    draw = np.random.default_rng(seed)
    there = np.arange(n) % 3 == 0
    evidence = np.column_stack([draw.normal(np.where(there, 3, -9), 6), np.zeros(n)])
    ahead = draw.normal(-14, 3, (n, 2, PLACES))
    shown = round(SHARE * PLACES)
    odds = draw.normal(0, 2, (there.sum(), shown))
    ahead[there, 0, :shown] = true.bias + 12 + odds / true.temperature
    return Questions(evidence, ahead, there, np.arange(n))


def test_places_that_are_known_give_bias_and_temperature() -> None:
    start = Calibration(gate=0.0)
    questions = made(90, start)
    found = fit(questions, start)
    assert log_loss(found, questions) < log_loss(start, questions)
    assert found.gate == start.gate and found.presence[1] > 0 and found.temperature > 0

    # Leads twice as wide are read at half the temperature, for they say the same.
    wide = Questions(questions.evidence, 2 * questions.ahead, questions.there, questions.photo)
    again = fit(wide, start)
    assert again.temperature == pytest.approx(found.temperature / 2, rel=0.02)
    assert again.bias == pytest.approx(2 * found.bias, rel=0.02)


def test_photos_are_encoded_once_and_a_noun_is_in_one_of_two_photos(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for k in range(2):
        noise_photo(seed=k).save(tmp_path / f"{k}.jpg")
    (tmp_path / "captions.tsv").write_text(
        "0.jpg\tA dog runs.\n0.jpg\tA dog in the snow.\n1.jpg\tguitar\n", encoding="utf-8"
    )
    backbone = TinyBackbone()
    model, store = Model(backbone, backbone.alignment(), "none"), ArrayStore(tmp_path / "features")
    photos = data.read([tmp_path / "captions.tsv"]).photos

    questions = gather(model, photos, store)
    assert questions.there.tolist() == [True, False, False] * 2 and questions.photo.tolist() == [0] * 3 + [1] * 3
    assert questions.evidence.shape == (6, 2) and questions.ahead.shape == (6, 2, PLACES)
    encoded = backbone.encoded
    again = gather(model, photos, store)
    assert backbone.encoded == encoded and np.array_equal(again.ahead, questions.ahead)


def test_a_head_is_written_with_its_numbers_and_is_otherwise_the_same(tmp_path: Path) -> None:
    backbone, source = TinyBackbone(), tmp_path / "head.safetensors"
    head = PACLHead.build(backbone)
    heads.save(head, source, backbone, objective="pacl", seed=3)
    model = Model(backbone, head, "head")

    write(model, source, Calibration(bias=-2.0, presence=(1.0, 0.5, 0.25)), tmp_path / "out.safetensors")

    loaded, facts = heads.load(tmp_path / "out.safetensors", backbone), heads.read_facts(tmp_path / "out.safetensors")
    assert loaded.calibration == Calibration(bias=-2.0, presence=(1.0, 0.5, 0.25))
    assert facts | {"calibration": None} == heads.read_facts(source)
    assert all((loaded.state_dict()[name] == tensor).all() for name, tensor in head.state_dict().items())
