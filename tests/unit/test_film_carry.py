"""Labels carried from one frame to another: where they go, and how sure they are."""

import numpy as np
import pytest
from PIL import Image

from tests.films import noise, sliding, write_numbered
from tests.label_maps import make_project, put
from tests.tiny import tiny_model
from textseg.errors import FilmError
from textseg.film import chain, motion
from textseg.film.carry import Labelled, carry, proposal, shares
from textseg.film.chain import STOP, ahead, begin, carry_on, carry_to_next
from textseg.film.intake import take
from textseg.project import Region


def smooth(picture):
    """Noise that a camera could see: neighbours are alike."""
    small = Image.fromarray(picture)
    return small.resize((small.width * 4, small.height * 4), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def film():
    pictures, maps = sliding(4, step=3, size=(80, 60))
    return [smooth(picture) for picture in pictures], [ids.repeat(4, 0).repeat(4, 1) for ids in maps]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def sure_of(scene, ids):
    return Labelled(scene, ids.astype(np.int64), np.ones(ids.shape, np.float32))


def iou(ids, truth):
    return ((ids == 1) & (truth == 1)).sum() / ((ids == 1) | (truth == 1)).sum()


def test_a_thing_that_moves_takes_its_label_along(film, model):
    pictures, maps = film
    first = last = sure_of(model.encode(pictures[0]), maps[0])
    for picture in pictures[1:]:
        last = carry(last, model.encode(picture), first)
    assert iou(last.ids, maps[-1]) > 0.9 > iou(maps[0], maps[-1])


def test_where_nothing_moves_labels_stay_to_the_pixel_and_sure(film, model):
    scene = model.encode(film[0][0])
    carried = carry(sure_of(scene, film[1][0]), model.encode(film[0][0]))
    assert (carried.ids == film[1][0]).mean() > 0.999
    assert carried.overall > 0.95


def test_what_appears_is_less_sure_than_what_was_there(film, model):
    pictures, maps = film
    new = np.asarray(pictures[0]).copy()
    new[160:232, 220:310] = np.random.default_rng(5).integers(0, 255, (72, 90, 3))
    carried = carry(sure_of(model.encode(pictures[0]), maps[0]), model.encode(Image.fromarray(new)))
    there, elsewhere = carried.sure[170:222, 230:300].mean(), carried.sure[:100, :100].mean()
    assert there < 0.75 < 0.95 < elsewhere


def test_what_comes_in_at_the_border_is_not_relied_on(film):
    picture = film[0][0]
    moved = Image.new("RGB", picture.size)
    moved.paste(picture, (24, 0))
    reliable = motion.between(moved, picture).reliable
    assert reliable[:, :8].mean() < 0.5 < reliable[:, 30:].mean()


def test_nothing_known_makes_a_photo_of_another_size_fail(film, model):
    pictures, maps = film
    small = pictures[0].resize((199, 151))
    carried = carry(sure_of(model.encode(pictures[0]), maps[0]), model.encode(small))
    truth = np.asarray(Image.fromarray(maps[0].astype(np.uint8)).resize((199, 151), Image.Resampling.NEAREST))
    assert carried.ids.shape == carried.sure.shape == (151, 199) and iou(carried.ids, truth) > 0.9


def test_shares_count_the_pixels_of_each_cell():
    ids = np.array([[0, 0, 7, 7], [0, 7, 7, 7]])
    found = shares(ids, np.array([0, 7]), (1, 2))
    assert found[:, 0].tolist() == [[0.75, 0.0], [0.25, 1.0]]


def test_a_proposal_has_regions_of_one_class_and_one_confidence(film, model):
    scene = model.encode(film[0][0])
    sure = np.full(film[1][0].shape, 0.9, np.float32)
    sure[:, :120] = 0.3
    index, regions = proposal(Labelled(scene, film[1][0].astype(np.int64) * 3, sure))
    assert {region.class_id for region in regions} == {3}
    assert ((index > 0) == (film[1][0] > 0)).all()
    assert min(region.confidence for region in regions) < 0.5 < 0.8 < max(region.confidence for region in regions)


@pytest.fixture
def project(film, tmp_path):
    made = make_project(tmp_path / "p", ["thing", "other"], {})
    take(made, write_numbered(tmp_path / "walk", map(np.asarray, film[0])))
    put(made, 1, film[1][0])
    yield made
    made.close()


def seen(project, model):
    return lambda photo: project.scene(photo, model)


def carried(project, model, film="walk", start=None, until=0.0, back=False):
    found = project.films.find(film)
    return list(carry_on(project, found, seen(project, model), begin(project, found, start, back), until, back))


def test_a_film_is_carried_to_its_end_and_is_ever_less_sure(project, film, model):
    assert ahead(project, project.films.find("walk"), begin(project, project.films.find("walk"))) == 3
    steps = carried(project, model)
    assert [step.to.photo for step in steps] == [2, 3, 4]
    assert iou(project.label_map(4)[0], film[1][-1]) > 0.85
    sure = [still.sure for still in project.films.stills(project.films.find("walk"))]
    assert sure[0] == 1.0 and all(a >= b for a, b in zip(sure, sure[1:], strict=False))
    assert project.photo(2).state == "pseudo-labelled"


def test_a_persons_pixels_stay_and_go_on(project, model):
    carry_to_next(project, 1, seen(project, model))
    project.edit(2, 1, {"type": "brush", "class": 2, "radius": 30, "points": [[250, 190]]})
    carry_to_next(project, 1, seen(project, model))
    assert project.label_map(2)[0][190, 250] == 2
    carry_to_next(project, 2, seen(project, model))
    assert project.label_map(3)[0][190, 250] == 2


def test_frames_that_are_done_stay_and_labels_go_on_from_them(project, film, model):
    put(project, 2, film[1][1] * 2)
    project.set_state(2, "done")
    steps = carried(project, model)
    assert [(step.before.photo, step.to.photo) for step in steps] == [(2, 3), (3, 4)]
    assert set(np.unique(project.label_map(4)[0])) == {0, 2}


def test_a_frame_that_was_skipped_is_not_looked_back_at(project, model, monkeypatch):
    carry_to_next(project, 1, seen(project, model))
    project.set_state(1, "skipped")
    looked_back = []

    def noted(before, scene, confirmed):
        looked_back.append(confirmed)
        return carry(before, scene, confirmed)

    monkeypatch.setattr(chain, "carry", noted)
    carry_to_next(project, 2, seen(project, model))
    assert looked_back == [None]


def test_carrying_stops_at_a_cut(tmp_path, film, model):
    project = make_project(tmp_path / "q", ["thing"], {})
    cut = [np.asarray(smooth(picture)) for picture in noise(2, 80, 60)]
    take(project, write_numbered(tmp_path / "cut", [np.asarray(film[0][0]), *cut]))
    put(project, 1, film[1][0])
    steps = carried(project, model, "cut", until=STOP)
    assert len(steps) == 1 and steps[0].stops and steps[0].sure < STOP
    project.close()


def test_labels_go_back_from_the_last_frame_of_a_person_as_far_as_they_are_surer(project, film, model):
    for photo, sure in ((2, 0.999), (3, 0.5)):
        project.films.carry(photo, np.ones((240, 320), np.int32), [Region(2, sure)], sure)
    put(project, 4, film[1][3])
    project.set_state(4, "done")
    steps = carried(project, model, back=True)
    assert [(step.before.photo, step.to.photo, step.kept) for step in steps] == [(4, 3, False), (3, 2, True)]
    assert (project.label_map(2)[0] == 2).all()
    assert iou(project.label_map(3)[0], film[1][2]) > 0.85


def test_labels_of_a_person_are_never_carried_over_from_behind(project, film, model):
    put(project, 4, film[1][3] * 2)
    steps = carried(project, model, back=True)
    assert [(step.to.photo, step.kept) for step in steps] == [(3, False), (2, False), (1, True)]
    assert set(np.unique(project.label_map(1)[0])) == {0, 1}


def test_a_photo_of_two_films_is_carried_along_the_one_that_is_meant(project, model, film, tmp_path):
    pictures = [np.asarray(film[0][k]) for k in (0, 3, 2)]
    take(project, write_numbered(tmp_path / "other", pictures))
    assert carry_to_next(project, 1, seen(project, model)).to.photo == 2
    assert carry_to_next(project, 1, seen(project, model), film=project.films.find("other").id).to.photo == 4


@pytest.mark.parametrize(
    ("photo", "why"), [(4, "last frame of walk"), (3, "no labels yet"), (1, "The next frame is done")]
)
def test_what_cannot_be_carried_is_one_sentence(project, model, photo, why):
    project.set_state(2, "done")
    with pytest.raises(FilmError, match=why):
        carry_to_next(project, photo, seen(project, model))


@pytest.mark.parametrize("state", ["done", "skipped"])
def test_a_frame_that_somebody_finishes_meanwhile_stays_as_it_is(project, model, state):
    def finished_meanwhile(photo):
        if photo == 2:
            project.set_state(2, state)
        return project.scene(photo, model)

    with pytest.raises(FilmError, match=f"The next frame is {state}"):
        carry_to_next(project, 1, finished_meanwhile)
    project.set_state(2, "in work")
    film = project.films.find("walk")
    steps = carry_on(project, film, finished_meanwhile, begin(project, film), until=0.0)
    assert [step.to.photo for step in steps] == [3, 4]
    assert not project.label_map(2)[0].any() and project.photo(2).revision == 0
