"""A project in PostgreSQL: what only a server can do to it. The store's other tests run on both databases."""

import threading
from contextlib import suppress

import numpy as np
import pytest
from sqlalchemy import event, text

from tests.label_maps import make_project
from tests.postgres import Places
from textseg.errors import DatabaseAwayError, NoProjectError, ProjectError, StaleRevisionError, UsageError
from textseg.project import Project
from textseg.project.place import Place
from textseg.vocabulary import Vocabulary
from textseg.web.api.project import ProjectApi
from textseg.web.pages.label import Label
from textseg.web.rpc.page import answered

STROKE = {"type": "brush", "class": 1, "radius": 3, "points": [[9, 9]]}


@pytest.fixture
def places(cluster, tmp_path):
    return Places("postgres", tmp_path, cluster)


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat", "sofa"], {"one.png": (40, 30), "two.png": (40, 30)})
    yield made
    made.close()


def cut(project, cluster, at):
    """Have the server end the project's connections once, just before its next statement that holds `at`."""
    left = [at]

    def before(connection, cursor, statement, *rest):
        if left and left[0] in statement:
            left.pop()
            cluster.cut(project.name)

    for engine in project.database.engines.values():
        event.listen(engine, "before_cursor_execute", before)


@pytest.mark.parametrize("at", ["pg_advisory", "FROM photo", "INSERT INTO edit", "UPDATE photo", "FROM tile"])
def test_a_connection_lost_in_the_middle_of_a_stroke_is_one_sentence_and_the_next_stroke_works(project, cluster, at):
    project.edit(1, 0, STROKE)
    before = project.label_map(1)
    cut(project, cluster, at)
    with pytest.raises(
        DatabaseAwayError, match=r"^The connection to the database was lost .* not there, do it again\.$"
    ):
        project.edit(1, 1, STROKE | {"points": [[30, 20]]})
    ids, revision = project.label_map(1)
    assert revision == 1 and np.array_equal(ids, before[0])
    assert project.edit(1, 1, STROKE | {"points": [[30, 20]]}).revision == 2


def test_a_connection_lost_while_it_is_saved_does_not_say_that_it_was_not(project, cluster):
    def before(connection):
        cluster.cut(project.name)

    event.listen(project.database.engines["writing"], "commit", before)
    with pytest.raises(DatabaseAwayError, match="whether the last change is there shows when it is opened again"):
        project.edit(1, 0, STROKE)
    event.remove(project.database.engines["writing"], "commit", before)
    assert project.edit(1, project.photo(1).revision, STROKE | {"class": 2}).revision in (1, 2)


def test_the_page_is_told_that_the_database_is_away_so_that_it_keeps_the_stroke(project, cluster):
    edit = answered(Label(ProjectApi(project, None), None).edit)
    cut(project, cluster, "UPDATE photo")
    message = {"photo": 1, "base_revision": 0, "operation": STROKE}
    answer = edit(message)
    assert (answer["ok"], answer["away"]) == (False, True) and "\n" not in answer["error"]
    assert edit(message)["revision"] == 1


def test_a_server_that_was_started_again_is_found_again_without_a_word(project, cluster):
    project.edit(1, 0, STROKE)
    cluster.halt()
    with pytest.raises(DatabaseAwayError, match="cannot be reached|was lost") as refusal:
        project.edit(1, 1, {"type": "undo"})
    assert cluster.password not in str(refusal.value)
    cluster.start()
    assert project.edit(1, 1, {"type": "undo"}).revision == 2


def test_of_two_writers_on_one_photo_the_second_is_refused_as_stale(project):
    other, told = Project(project.place), []
    with project.database.writing(one_photo=True) as session:
        session.execute(text("SELECT id FROM photo WHERE id = 1 FOR UPDATE"))

        def write():
            try:
                told.append(other.edit(1, 0, STROKE).revision)
            except StaleRevisionError as error:
                told.append(str(error))

        waiting = threading.Thread(target=write)
        waiting.start()
        session.execute(text("UPDATE photo SET revision = 1 WHERE id = 1"))
    waiting.join()
    assert told == ["stale revision 0: the label map of one.png is at revision 1."]
    other.close()


def test_people_on_two_photos_do_not_wait_for_each_other(project):
    other = Project(project.place)
    with project.database.writing(one_photo=True) as session:
        session.execute(text("SELECT id FROM photo WHERE id = 1 FOR UPDATE"))
        assert other.edit(2, 0, STROKE).revision == 1
    other.close()


def test_what_concerns_more_than_one_photo_waits_for_all_and_gives_up_in_a_sentence(project):
    other = Project(project.place)

    def impatient(connection):
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")

    event.listen(other.database.engines["writing"], "begin", impatient)
    with (
        project.database.writing(one_photo=True),
        pytest.raises(ProjectError, match="Another program is writing to the project"),
    ):
        other.delete_class(2)
    other.delete_class(2)
    other.close()


def test_a_reader_sees_one_moment(project):
    project.edit(1, 0, STROKE)
    with project.database.reading() as session:
        first = session.execute(text("SELECT revision FROM photo WHERE id = 1")).scalar()
        project.edit(1, 1, {"type": "undo"})
        assert session.execute(text("SELECT revision FROM photo WHERE id = 1")).scalar() == first == 1


def test_two_who_make_one_project_at_once_make_one(places):
    place, made = places("p"), []

    def make():
        with suppress(ProjectError):
            made.append(Project.create(place, Vocabulary.parse("cat, sofa")))

    both = [threading.Thread(target=make) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(made) == 1 and [row.name for row in made[0].classes()] == ["cat", "sofa"]
    made[0].close()


def test_what_is_wrong_with_a_url_is_one_sentence_that_holds_no_password(places, cluster, tmp_path):
    (tmp_path / "f" / "photos").mkdir(parents=True)
    here = f"127.0.0.1:{cluster.port}"
    wrong = {
        cluster.url("nowhere"): (ProjectError, "There is no such database; make it with: createdb"),
        f"postgresql+psycopg://tester:secret@{here}/postgres": (ProjectError, "does not let this user in"),
        "postgresql+psycopg://tester:secret@127.0.0.1:1/p": (DatabaseAwayError, "cannot be reached"),
        cluster.empty("empty"): (NoProjectError, "make one with: textseg project new"),
    }
    for url, (kind, sentence) in wrong.items():
        with pytest.raises(kind, match=sentence) as refusal:
            Project(url, files=tmp_path / "f")
        assert "secret" not in str(refusal.value) and cluster.password not in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("where", "files", "sentence"),
    [
        ("mysql://root@localhost/p", "f", "not in mysql://"),
        ("postgresql://", "f", "postgresql\\+psycopg://USER@HOST/NAME"),
        ("postgresql+psycopg://me@localhost/p", None, "--files DIR, or TEXTSEG_FILES=DIR"),
        ("a folder", "f", "leave --files out"),
        ("postgresql://me@localhost:port/p", None, "is postgresql"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused_before_anything_is_opened(monkeypatch, where, files, sentence):
    monkeypatch.delenv("TEXTSEG_FILES", raising=False)
    with pytest.raises(UsageError, match=sentence):
        Place.of(where, files)


def test_the_folder_of_files_comes_from_the_environment_where_no_option_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTSEG_FILES", str(tmp_path))
    place = Place.of("postgresql://me@localhost/birds")
    assert (place.folder, place.name, place.url.drivername) == (tmp_path, "birds", "postgresql+psycopg")


def test_a_project_is_not_opened_without_its_photos_nor_made_over_anothers(project, places, tmp_path):
    with pytest.raises(ProjectError, match="does not hold the photos of p"):
        Project(Place(tmp_path / "elsewhere", project.place.url))
    with pytest.raises(ProjectError, match="holds another project's files"):
        Project.create(Place(project.folder, places("q").url), Vocabulary.parse("cat"))


def test_text_that_the_server_cannot_hold_is_kept_without_it(project):
    project.set_note(1, "a\0b")
    assert project.photo(1).note == "a?b" and project.queue(search="\0") == []
