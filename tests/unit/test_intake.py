"""`Project.taking_in`: photos, classes and label maps together, or nothing of them."""

import io

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.label_maps import make_project
from tests.tiny import noise_photo
from textseg.errors import ProjectError
from textseg.vocabulary import Word

SIZE = (40, 30)


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat"], {"one.png": SIZE})
    yield made
    made.close()


def png(seed):
    buffer = io.BytesIO()
    noise_photo(*SIZE, seed=seed).save(buffer, "PNG")
    return buffer.getvalue()


def files(project):
    return sorted(path.name for path in (project.folder / "photos").iterdir())


def take(intake, seed=5):
    """A class, a photo, and its label map."""
    dog = intake.add_class(Word("dog", colour="#112233"))
    row, new = intake.add_photo("two.png", ".png", png(seed), SIZE)
    ids = np.full(SIZE[::-1], dog, np.uint16)
    changed = intake.put_labels(row.id, ids, "theirs", "person", {"type": "import"})
    return dog, new, changed


def test_all_of_it_is_there_afterwards_and_reads_back(project):
    with project.taking_in() as intake:
        dog, new, changed = take(intake)
    assert new and changed == 1200 and len(files(project)) == 2
    assert (project.label_map("two.png")[0] == dog).all() and project.picture("two.png").size == SIZE
    assert [row.name for row in project.classes()] == ["cat", "dog"]


def test_a_photo_of_equal_bytes_is_not_taken_in_again(project):
    with project.taking_in() as intake:
        first, new = intake.add_photo("two.png", ".png", png(5), SIZE)
        again, twice = intake.add_photo("three.png", ".png", png(5), SIZE)
    assert new and not twice and again.id == first.id and again.name == "two.png"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_of_it_stays_after_an_error(project, error):
    before = files(project), project.status()
    with pytest.raises(error), project.taking_in() as intake:
        take(intake)
        raise error
    assert (files(project), project.status()) == before


@pytest.mark.parametrize("places", ["sqlite"], indirect=True)
def test_nothing_of_it_stays_when_the_last_write_fails(project):
    before = files(project), project.status()
    engine = project.database.engines["writing"]

    def full(connection):
        raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    event.listen(engine, "commit", full)
    with pytest.raises(ProjectError, match="The disk is full"), project.taking_in() as intake:
        take(intake)
    event.remove(engine, "commit", full)
    assert (files(project), project.status()) == before


def test_a_dry_run_leaves_nothing(project):
    before = files(project), project.status()
    with project.taking_in(dry_run=True) as intake:
        assert take(intake)[2] == 1200
    assert (files(project), project.status()) == before


def test_ids_of_classes_that_never_came_are_used_by_the_next(project, places):
    with project.taking_in(dry_run=True) as intake:
        intake.add_class(Word("dog"))
    # What PostgreSQL has once counted it does not count again: there a number is left out.
    assert project.add_class(Word("sofa")) == (2 if places.cluster is None else 3)
