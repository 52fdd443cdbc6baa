"""Learning from what was corrected in a huge photo, made small: the bounds that make it huge are lowered."""

import numpy as np
import pytest
import tifffile

from tests.tiny import TinyBackbone
from tests.tiny_learning import BLUE, RED, SETTINGS, draw_halves, two_halves
from textseg import images
from textseg.model import Model, heads, load_model
from textseg.project import Project, Region, labels
from textseg.project.windows import Window
from textseg.pyramids import plan
from textseg.vocabulary import Vocabulary
from trainer import recipes
from trainer.corrections import areas, fit, folds, learn
from trainer.corrections.corpus import read
from trainer.corrections.encodings import Encodings
from trainer.objectives.corrections import Corrections

WIDTH, HEIGHT, SCALE = 400, 240, 2


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one photo that counts as huge: red on the left, blue on the right, looked at twice smaller."""
    monkeypatch.setattr(images, "MAX_PIXELS", 50_000)
    monkeypatch.setattr(labels, "MAX_WHOLE", 50_000)
    monkeypatch.setattr(plan, "TILE", 64)
    monkeypatch.setattr(plan, "STEP", 48)
    photo = np.asarray(two_halves(5).resize((WIDTH, HEIGHT)))
    tifffile.imwrite(tmp_path / "huge.tif", photo, tile=(64, 64), photometric="rgb")
    made = Project.create(tmp_path / "p", Vocabulary.parse("red thing, blue thing"))
    assert made.add([tmp_path / "huge.tif"]).added == ["huge.tif"]
    whole = Window((0, 0, WIDTH, HEIGHT), SCALE)
    made.put_model_labels(1, np.ones(whole.size[::-1], np.int32), [Region(RED, 0.6)], "tiny/none", window=whole)
    yield made
    made.close()


def paint(project, class_id, left, top, right, bottom):
    points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    project.edit(1, project.photo(1).revision, {"type": "polygon", "class": class_id, "points": points})


def taught(project, complete=False):
    return areas.corrected(project, project.photo(1), np.array([RED, BLUE]), complete)


def model():
    return load_model(TinyBackbone(), "none")


def test_what_was_corrected_in_a_huge_photo_teaches_as_in_any_other(project, tmp_path):
    paint(project, RED, 10, 10, 190, 230)
    paint(project, BLUE, 210, 10, 390, 230)
    before, told = model(), []
    recipe = recipes.load("corrections", None, [one for one in SETTINGS if "hold_back" not in one])
    facts = learn(project, tmp_path / "head.safetensors", before, recipe, told.append)
    after = Model(before.backbone, heads.load(tmp_path / "head.safetensors", before.backbone), "learnt")
    truth = np.where(np.arange(96) < 48, RED, BLUE)[None].repeat(64, 0)
    ids = after.encode(two_halves(99)).label(Vocabulary.parse("red thing, blue thing")).ids
    assert (ids == truth).mean() > 0.85
    assert facts["data"]["photos"] == 1 and facts["data"]["skipped"] == {}
    assert facts["data"]["pixels"]["red thing"] == pytest.approx(180 * 220, rel=0.03)
    assert facts["scores"]["after"]["miou"] > facts["scores"]["before"]["miou"]
    assert "parts of 1 photo left out in turn" in told[-1]


def test_every_pixel_is_said_once_in_the_tile_in_whose_middle_it_lies(project):
    paint(project, BLUE, 30, 30, 370, 130)
    paint(project, 0, 150, 60, 250, 200)
    seen = np.zeros(plan.looked_at((WIDTH, HEIGHT), SCALE)[::-1], np.int32)
    for area, said in taught(project):
        assert area.scale == SCALE and said.shape == (64, 64)
        left, top = area.box[:2]
        rows, columns = np.nonzero(said)
        assert not seen[top + rows, left + columns].any()
        seen[top + rows, left + columns] = said[rows, columns]
    assert np.array_equal(seen, project.corrections(1, Window((0, 0, WIDTH, HEIGHT), SCALE)))
    assert set(np.unique(seen)) == {-1, 0, BLUE}


def test_only_tiles_in_which_a_person_worked_are_looked_at_and_each_is_encoded_once(project):
    paint(project, BLUE, 300, 20, 340, 60)
    encodings, before = Encodings(project, model()), TinyBackbone.encoded_by_all
    corpus = read(project, encodings, 0.2)
    tiles = len(corpus.photos)
    assert 1 <= tiles <= 2 and TinyBackbone.encoded_by_all == before + tiles
    read(project, Encodings(project, model()), 0.2)
    assert TinyBackbone.encoded_by_all == before + tiles


def test_a_label_of_a_part_alone_says_nothing_of_how_coarsely_the_photo_is_looked_at(project, monkeypatch):
    part = Window((0, 0, 100, 100), 1)
    project.put_model_labels(1, np.ones((100, 100), np.int32), [Region(RED, 0.6)], "tiny/none", window=part)
    assert areas.scale_of(project, project.photo(1)) == SCALE
    monkeypatch.setattr(plan, "LOOKED_AT", 100)
    project.edit(1, 2, {"type": "undo"})
    monkeypatch.setattr(Project, "looked_at", lambda *_: None)
    assert areas.scale_of(project, project.photo(1)) == 4


def test_in_a_photo_that_is_done_what_has_no_label_is_none_of_the_classes(project):
    paint(project, BLUE, 300, 20, 340, 60)
    project.edit(1, project.photo(1).revision, {"type": "relabel", "from": RED, "to": 0})
    assert all(set(np.unique(said)) <= {-1, 0, BLUE} for _, said in taught(project, complete=True))
    project.edit(1, project.photo(1).revision, {"type": "undo"})
    said = [part for _, part in taught(project, complete=True)]
    assert {0, BLUE} == {int(k) for part in said for k in np.unique(part)}, "a model's label there says nothing"


def test_of_too_many_tiles_each_class_keeps_the_best_and_none_is_crowded_out():
    counts = [{RED: 100 + k} for k in range(9)] + [{RED: 1, BLUE: 5}, {BLUE: 2}]
    assert areas.chosen(counts, 3) == [7, 8, 9]
    assert areas.chosen(counts, 50) == list(range(11))


def test_the_tiles_of_a_photo_are_left_out_together_where_there_are_others(project, tmp_path, monkeypatch):
    paint(project, RED, 10, 10, 190, 230)
    paint(project, BLUE, 210, 10, 390, 230)
    for k in (1, 2):
        two_halves(k).save(tmp_path / f"{k}.png")
        project.add([tmp_path / f"{k}.png"])
        draw_halves(project, k + 1)
    start = model()
    corpus = read(project, Encodings(project, start), 0.0)
    head = fit.new_head(start, corpus, 0.0)
    data = fit.patches(head, corpus, fit.Rivals.of(head, start, corpus))
    monkeypatch.setattr(fit, "fit", lambda *_: None)
    settings = recipes.defaults(Corrections)
    found = folds.unseeing(start, head, corpus.photos, data, None, settings)
    heads_of = {name: {id(found[one.key]) for one in corpus.photos if one.stored.name == name}
                for name in ("huge.tif", "1.png", "2.png")}  # fmt: skip
    assert len(corpus.photos) > 4 and all(len(one) == 1 for one in heads_of.values())
    assert len(set.union(*heads_of.values())) == 3


def test_a_huge_photo_whose_file_is_gone_is_told_and_left_out(project, tmp_path):
    paint(project, RED, 10, 10, 190, 230)
    two_halves(1).save(tmp_path / "1.png")
    project.add([tmp_path / "1.png"])
    draw_halves(project, 2)
    project.original(project.photo(1)).unlink()
    corpus = read(project, Encodings(project, model()), 0.0)
    assert "huge.tif does not exist" in corpus.skipped["huge.tif"] and len(corpus.photos) == 1
