"""Figures from few photos: each is scored by a head that has not seen it."""

import copy

import pytest

from tests.tiny import TinyBackbone
from tests.tiny_learning import draw_halves, make_project
from textseg.model import load_model
from trainer import recipes
from trainer.corrections import fit, folds, learn
from trainer.corrections.corpus import read
from trainer.corrections.encodings import Encodings
from trainer.learning import is_no_worse
from trainer.objectives.corrections import Corrections

QUICK = ["steps=20", "lr=0.05", "objective.decay=0.001"]


@pytest.fixture
def recipe():
    return recipes.load("corrections", None, QUICK)


def test_from_the_second_corrected_photo_on_there_are_figures_with_their_spread_and_all_photos_teach(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=3, corrected=1)
    model = load_model(TinyBackbone(), "none")
    told: list[str] = []
    facts = learn(project, tmp_path / "1.safetensors", model, recipe, told.append)
    assert facts["scores"]["after"] is None and not is_no_worse(facts["scores"])
    assert "correct another one" in told[-1]
    draw_halves(project, 2)
    facts = learn(project, tmp_path / "2.safetensors", model, recipe, told.append)
    after, before = facts["scores"]["after"], facts["scores"]["before"]
    assert facts["data"]["photos"] == after["photos"] == before["photos"] == 2 and facts["data"]["held_back"] == []
    assert after["spread"] >= 0 and "mIoU on 2 photos left out in turn" in told[-1]


def test_no_photo_is_scored_by_a_head_that_was_fitted_to_it(tmp_path, recipe, monkeypatch):
    project = make_project(tmp_path / "p", photos=7)
    model = load_model(TinyBackbone(), "none")
    corpus = read(project, Encodings(project, model), 0.0)
    head = fit.new_head(model, corpus, 0.0)
    data = fit.patches(head, corpus, fit.Rivals.of(head, model, corpus))
    seen = {}
    monkeypatch.setattr(fit, "fit", lambda objective, patches, *_: seen.update({objective.corrected: patches}))
    settings = recipes.defaults(Corrections)
    found = folds.unseeing(model, head, corpus.photos, data, recipe, settings)
    assert found.keys() == {photo.stored.sha256 for photo in corpus.photos} and len(seen) == folds.FOLDS
    for photo, patches in zip(corpus.photos, data, strict=True):
        fitted = seen[found[photo.stored.sha256].head].evidence
        assert not any((fitted == row).all(1).any() for row in patches.evidence[:5])
    assert folds.unseeing(model, head, corpus.photos[:1], data[:1], recipe, settings) == {}


def test_the_figures_of_before_are_those_of_the_head_below_all_corrections(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=3)
    first = learn(project, tmp_path / "1.safetensors", load_model(TinyBackbone(), "none"), recipe)
    model = load_model(TinyBackbone(), tmp_path / "1.safetensors")
    weights = copy.deepcopy(model.head.state_dict())
    second = learn(project, tmp_path / "2.safetensors", model, recipe)
    assert (
        second["scores"]["before"] == first["scores"]["before"]
        and second["scores"]["after"] == first["scores"]["after"]
    )
    assert all((weights[name] == tensor).all() for name, tensor in model.head.state_dict().items())
