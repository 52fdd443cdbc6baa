"""Films on the Label page: the strip's frames, and labels carried on and back in the background."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.films import noise, sliding, write_numbered
from tests.label_maps import make_project, put
from tests.tiny import tiny_model
from textseg.errors import FilmError, ProjectError
from textseg.film import chain
from textseg.film.intake import take
from textseg.project import Region
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.pages.label import Label


@pytest.fixture
def label(tmp_path):
    project = make_project(tmp_path / "p", ["thing"], {"alone.png": (30, 20)})
    pictures, maps = sliding(4, step=3)
    take(project, write_numbered(tmp_path / "walk", pictures))
    put(project, 2, maps[0])
    engine = Engine()
    engine._model = tiny_model()
    engine._settled.set()
    yield Label(ProjectApi(project, engine), engine)
    project.close()


def ended(label):
    """What came of the work, once it has ended."""
    label.carrying._newest(label.api.key)._thread.join()
    return label.carry_on({"action": "look"})


def test_frames_say_whether_their_labels_were_carried_or_drawn(label):
    label.api.project.films.carry(3, np.ones((60, 80), np.int32), [Region(1, 0.8)], 0.6)
    told = label.film({"photo": 3})
    assert told["film"]["name"] == "walk"
    assert told["frames"][:3] == [(2, 1.0, 2, 1.0, False), (3, 2.0, 1, 0.6, True), (4, 3.0, 0, None, False)]
    assert label.film({"photo": 1}) == {"film": None}


def test_a_photo_of_two_films_is_shown_in_the_one_in_hand(label, tmp_path):
    take(label.api.project, write_numbered(tmp_path / "run", [sliding(1)[0][0], *noise(2, 80, 60)]))
    films = [label.film({"photo": 2, "film": film})["film"]["name"] for film in (None, 1, 2, 77)]
    assert films == ["walk", "walk", "run", "walk"]


def test_labels_are_carried_to_the_end_of_the_film_in_the_background(label):
    assert label.carry_on({"action": "start", "photo": 2, "way": "end"})["what"] == "Carrying on"
    job = ended(label)
    assert (job["state"], job["done"], job["all"]) == ("done", 3, 3)
    assert job["report"]["to"] == 5 and job["report"]["frames"] == 3 and not job["report"]["stopped"]
    assert all(label.api.project.photo(photo).state == "pseudo-labelled" for photo in (3, 4, 5))


def test_back_they_go_as_far_as_they_are_surer(label):
    put(label.api.project, 5, sliding(4, step=3)[1][3])
    label.carry_on({"action": "start", "photo": 5, "way": "back"})
    report = ended(label)["report"]
    assert report["to"] == 2 and report["kept"] and report["frames"] == 2


def test_somebody_who_stops_it_keeps_what_was_carried(label, monkeypatch):
    stills = label.api.project.films.stills(label.api.project.films.find("walk"))

    def stepping(*args):
        yield chain.Step(stills[0], stills[1], 0.95)
        label.carry_on({"action": "cancel"})
        yield chain.Step(stills[1], stills[2], 0.94)
        pytest.fail("it goes on")

    monkeypatch.setattr(chain, "carry_on", stepping)
    label.carry_on({"action": "start", "photo": 2, "way": "sure"})
    report = ended(label)["report"]
    assert report["stopped"] and report["frames"] == 2 and report["name"] == "frame-3.png"


@pytest.mark.parametrize(
    ("message", "why"),
    [({"photo": 1, "way": "end"}, "no frame of a film"), ({"photo": 3, "way": "end"}, "no labels yet"),
     ({"photo": 2, "way": "back"}, "Every frame before this one is done or skipped")],
)  # fmt: skip
def test_what_cannot_be_carried_is_said_at_once(label, monkeypatch, message, why):
    monkeypatch.setattr(label.api, "model", lambda: pytest.fail("it waits for the model"))
    with pytest.raises(FilmError, match=why):
        label.carry_on({"action": "start", **message})
    with pytest.raises(FilmError):
        label.carry({"photo": 3})
    assert label.carry_on({})["state"] == "idle"


def test_two_do_not_carry_at_once(label, monkeypatch):
    monkeypatch.setattr(label.carrying, "_jobs", {label.api.key: SimpleNamespace(running=True, what="Carrying on")})
    with pytest.raises(ProjectError, match="Carrying on is still going on"):
        label.carry_on({"action": "start", "photo": 2, "way": "end"})
