"""Films in a project: which photos are frames, in which order, and how sure the labels on each are."""

import numpy as np
import pytest

from tests.films import noise, write_numbered
from tests.label_maps import make_project, put
from textseg.errors import FilmError, ProjectError
from textseg.film.intake import take, take_numbered
from textseg.film.numbered import sequences
from textseg.project import Project, Region


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat", "sofa"], {"one.png": (64, 48)})
    yield made
    made.close()


def names(project, film):
    return [still.name for still in project.films.stills(project.films.find(film))]


def test_numbers_give_the_order_and_not_the_alphabet(project, tmp_path):
    (taken,) = take(project, write_numbered(tmp_path / "walk", noise(11)))
    assert names(project, "walk") == [f"frame-{k}.png" for k in range(1, 12)] == taken.added
    assert [still.at for still in project.films.stills(project.films.find("walk"))][:3] == [1.0, 2.0, 3.0]


def test_a_folder_that_grows_goes_on_in_its_film(project, tmp_path):
    pictures = noise(5)
    folder = write_numbered(tmp_path / "walk", pictures[:3])
    take(project, folder)
    write_numbered(folder, pictures[3:], first=4)
    (taken,) = take(project, folder)
    assert (len(taken.added), taken.known) == (2, 3)
    assert [film.frames for film in project.films.all()] == [5]


def test_films_of_one_name_are_told_apart(project, tmp_path):
    pictures = noise(4)
    take(project, write_numbered(tmp_path / "a" / "walk", pictures[:2]))
    take(project, write_numbered(tmp_path / "b" / "walk", pictures[2:]))
    assert [film.name for film in project.films.all()] == ["walk", "walk (2)"]


def test_films_that_begin_with_an_equal_frame_are_two_and_each_goes_on_as_it_grows(project, tmp_path):
    pictures = noise(7)
    places = [tmp_path / "a" / "walk", tmp_path / "b" / "walk"]
    take(project, write_numbered(places[0], pictures[:3]))
    take(project, write_numbered(places[1], [pictures[0], *pictures[3:5]]))
    for place, picture in zip(places, pictures[5:], strict=True):
        take(project, write_numbered(place, [picture], first=4))
    assert [(film.name, film.frames) for film in project.films.all()] == [("walk", 4), ("walk (2)", 4)]


def test_loose_uploads_that_begin_with_an_equal_frame_are_two_films(project, tmp_path):
    pictures = noise(5)
    for place, first in ((tmp_path / "upload 1", 1), (tmp_path / "upload 2", 3)):
        (film,), _ = sequences(write_numbered(place, [pictures[0], *pictures[first : first + 2]]), "film")
        take_numbered(project, film)
        take_numbered(project, film)
    assert [(film.name, film.frames) for film in project.films.all()] == [("film", 3), ("film (2)", 3)]


def test_a_film_is_called_by_its_folder_and_stays_the_same_one_when_another_kind_of_names_comes(project, tmp_path):
    pictures = noise(6)
    folder = write_numbered(tmp_path / "shots", pictures[:2], "left-{}.png")
    take(project, folder)
    write_numbered(folder, pictures[2:3], "left-{}.png", first=3)
    write_numbered(folder, pictures[3:5], "right-{}.png")
    take(project, folder)
    assert [(film.name, film.frames) for film in project.films.all()] == [("shots", 3), ("shots/right", 2)]


def test_kinds_of_names_are_films_of_their_own_and_the_rest_is_told(project, tmp_path):
    pictures = noise(6)
    folder = write_numbered(tmp_path / "shots", pictures[:2], "left-{}.png")
    write_numbered(folder, pictures[2:4], "right-{}.png")
    write_numbered(folder, pictures[4:5], "cover.png")
    taken = take(project, folder)
    assert [one.film for one in taken] == ["shots/left", "shots/right"]
    assert "cover.png" in taken[-1].notes[0]


def test_missing_numbers_are_told_but_not_where_every_third_was_kept(tmp_path):
    folder = write_numbered(tmp_path / "gap", noise(3))
    write_numbered(folder, noise(2), first=7)
    assert sequences(folder)[0][0].missing == [(4, 6)]
    thin = tmp_path / "thin"
    for k in range(4):
        write_numbered(thin, noise(1), first=3 * k)
    assert sequences(thin)[0][0].missing == []


def test_a_torn_frame_is_told_and_the_others_come(project, tmp_path):
    folder = write_numbered(tmp_path / "walk", noise(3))
    (folder / "frame-2.png").write_bytes(b"torn")
    (taken,) = take(project, folder)
    assert [name for name, _ in taken.failed] == ["frame-2.png"] and len(taken.added) == 2


def test_a_folder_without_numbers_is_one_sentence(project, tmp_path):
    with pytest.raises(FilmError, match="neither a video nor photos numbered like"):
        take(project, write_numbered(tmp_path / "odd", noise(1), "cover.png"))


def test_carried_labels_leave_a_persons_pixels_and_say_how_sure_they_are(project, tmp_path):
    take(project, write_numbered(tmp_path / "walk", noise(3)))
    first, second, _ = (still.photo for still in project.films.stills(project.films.find(1)))
    drawn = np.zeros((48, 64), np.uint16)
    drawn[:12] = 2
    put(project, second, drawn)
    project.films.carry(second, np.ones((48, 64), np.int32), [Region(1, 0.8)], sure=0.6)
    ids, _ = project.label_map(second)
    assert (ids[:12] == 2).all() and (ids[12:] == 1).all()
    stills = project.films.stills(project.films.find(1))
    assert [still.sure for still in stills] == [None, pytest.approx(0.25 + 0.75 * 0.6), None]
    project.set_state(first, "done")
    assert project.films.stills(project.films.find(1))[0].sure == 1.0
    assert project.films.of(second).name == "walk" and project.films.of("one.png") is None
    with pytest.raises(ProjectError, match="no frame"):
        project.films.carry("one.png", np.zeros((48, 64), np.int32), [], 0.5)


def test_taken_back_what_was_carried_says_nothing_any_more(project, tmp_path):
    take(project, write_numbered(tmp_path / "walk", noise(2)))
    photo = project.films.stills(project.films.find(1))[1].photo
    project.films.carry(photo, np.ones((48, 64), np.int32), [Region(1, 0.8)], sure=0.6)
    project.edit(photo, 1, {"type": "undo"})
    assert project.films.stills(project.films.find(1))[1].sure is None
    assert project.photo(photo).state == "new" and project.status()["photos"]["pseudo-labelled"] == 0
    project.edit(photo, 2, {"type": "redo"})
    assert project.photo(photo).state == "pseudo-labelled"


def test_taken_back_to_what_was_carried_before_a_frame_stays_pseudo_labelled(project, tmp_path):
    take(project, write_numbered(tmp_path / "walk", noise(2)))
    photo = project.films.stills(project.films.find(1))[1].photo
    for class_id in (1, 2):
        project.films.carry(photo, np.ones((48, 64), np.int32), [Region(class_id, 0.8)], sure=0.6)
    project.edit(photo, 2, {"type": "undo"})
    assert project.photo(photo).state == "pseudo-labelled" and (project.label_map(photo)[0] == 1).all()


def test_how_sure_carried_labels_are_is_taken_back_and_done_again_with_them(project, tmp_path):
    take(project, write_numbered(tmp_path / "walk", noise(2)))
    photo = project.films.stills(project.films.find(1))[1].photo

    def sure():
        return project.films.stills(project.films.find(1))[1].sure

    everything = np.ones((48, 64), np.int32)
    project.put_model_labels(photo, everything, [Region(1, 0.3)], "head")
    project.films.carry(photo, everything, [Region(1, 0.8)], sure=0.6)
    project.films.carry(photo, everything, [Region(1, 0.9)], sure=0.9)
    said = [sure()]
    for gesture in ("undo", "undo", "redo", "redo"):
        project.edit(photo, project.photo(photo).revision, {"type": gesture})
        said.append(sure())
    assert said == [0.9, 0.6, None, 0.6, 0.9]
    project.put_model_labels(photo, everything, [Region(2, 0.3)], "head")
    assert sure() is None
    project.edit(photo, project.photo(photo).revision, {"type": "undo"})
    assert sure() == 0.9


def test_each_film_has_all_of_its_frames_also_those_that_are_photos_already(project, tmp_path):
    pictures = noise(4)
    take(project, write_numbered(tmp_path / "walk", pictures[:3]))
    second = project.films.stills(project.films.find("walk"))[1].photo
    project.films.carry(second, np.ones((48, 64), np.int32), [Region(1, 0.8)], sure=0.6)
    (taken,) = take(project, write_numbered(tmp_path / "run", pictures[1:]))
    assert str(taken) == "run: 1 frame added, 2 more were in the project as photos."
    assert names(project, "run") == ["frame-2.png", "frame-3.png", "frame-3.png"]
    assert [still.sure for still in project.films.stills(project.films.find("run"))] == [0.6, None, None]
    project.films.carry(second, np.ones((48, 64), np.int32), [Region(1, 0.8)], sure=0.7)
    assert {project.films.stills(film)[k].sure for k, film in enumerate(reversed(project.films.all()))} == {0.7}
    assert [project.films.of(second, wanted).name for wanted in (None, 2, 1, 9)] == ["walk", "run", "walk", "walk"]
    (taken,) = take(project, tmp_path / "run")
    assert str(taken) == "run: 0 frames added, 3 were there already."


def test_where_a_film_stands_still_the_first_frame_stands_for_all_and_it_is_told(project, tmp_path):
    pictures = noise(2)
    (taken,) = take(project, write_numbered(tmp_path / "walk", [pictures[0], pictures[0], pictures[1]]))
    assert str(taken) == "walk: 2 frames added, 1 was left out, equal to an earlier one."
    assert names(project, "walk") == ["frame-1.png", "frame-3.png"]


def test_a_project_opened_again_has_its_films(project, tmp_path):
    take(project, write_numbered(tmp_path / "walk", noise(2)))
    again = Project(project.place)
    assert [(film.name, film.frames, film.timed) for film in again.films.all()] == [("walk", 2, False)]
    with pytest.raises(ProjectError, match="There is no film 'run'"):
        again.films.find("run")
    again.close()
