"""Several people on one project: who is there, who is to do what, reviews, and two opinions of one photo."""

from datetime import timedelta

import numpy as np
import pytest

from tests.label_maps import make_project
from textseg.errors import EditError, StaleRevisionError
from textseg.project import team as teams
from textseg.project.author import author

SQUARE = {"type": "polygon", "points": [[0, 0], [20, 0], [20, 20], [0, 20]]}


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat", "sofa"], {"one.png": (40, 30), "two.png": (40, 30)})
    yield made
    made.close()


@pytest.fixture
def passing(monkeypatch):
    """`passing(seconds)`: the database's clock goes on."""
    gone, real = [timedelta(0)], teams.clock
    monkeypatch.setattr(teams, "clock", lambda session: real(session) + gone[0])
    return lambda seconds: gone.append(gone.pop() + timedelta(seconds=seconds))


def draw(project, who, class_id=1, photo=1, **more):
    with author(who):
        return project.edit(photo, project.photo(photo).revision, SQUARE | {"class": class_id} | more)


def done(project, who, photo=1):
    with author(who):
        project.set_state(photo, "done")


def test_the_second_person_on_a_photo_hears_of_the_first(project):
    assert project.team.look(1, "anna") == []
    (other,) = project.team.look(1, "ben")
    assert other["who"] == "anna" and other["since"].endswith("Z")
    assert project.team.present() == {1: ["anna", "ben"]}


def test_whoever_says_nothing_for_a_while_is_gone_by_the_clock_of_the_database(project, passing):
    project.team.look(1, "anna")
    passing(59)
    assert [one["who"] for one in project.team.look(1, "ben")] == ["anna"]
    passing(2)
    assert project.team.look(1, "ben") == [] and project.team.present() == {1: ["ben"]}
    assert [one["who"] for one in project.team.look(1, "anna")] == ["ben"], "who comes back is the second one"
    assert project.team.present() == {1: ["ben", "anna"]}


def test_whoever_goes_on_to_another_photo_leaves_the_one_before(project):
    project.team.look(1, "anna")
    project.team.look(2, "anna", left=1)
    assert project.team.present() == {2: ["anna"]}
    project.team.leave("anna")
    assert project.team.present() == {}


def test_who_did_what_is_in_the_history(project):
    draw(project, "anna")
    project.edit(1, 1, {"type": "undo"})
    draw(project, "ben", 2)
    assert [step.get("by") for step in project.history(1)] == ["anna", None, "ben"]


def test_what_is_done_or_reviewed_is_read_only_until_it_is_returned(project):
    draw(project, "anna")
    done(project, "anna")
    for who in ("anna", "ben"):
        with pytest.raises(EditError, match="one.png is done and read-only; a reviewer can return it"):
            draw(project, who, 2)
    with author("rita"):
        project.team.review(1, "reviewed")
        with pytest.raises(EditError, match="one.png is reviewed and read-only"):
            draw(project, "rita", 2)
        project.team.review(1, "returned", "  the tail is missing ")
    row = project.photo(1)
    assert (row.state, row.review, row.assignee) == ("in work", "returned", "anna")
    assert draw(project, "anna", 2).revision == 2
    assert [(one["who"], one["what"], one["note"]) for one in project.team.trail(1)] == [
        ("anna", "labelled", ""), ("rita", "reviewed", ""), ("rita", "returned", "the tail is missing"),
    ]  # fmt: skip


def test_what_was_returned_is_reviewed_again_when_it_is_done_again(project):
    draw(project, "anna")
    done(project, "anna")
    with author("rita"):
        project.team.review(1, "returned", "more")
    done(project, "anna")
    assert (project.photo(1).state, project.photo(1).review) == ("done", None)


def test_where_nobody_signs_in_done_photos_are_drawn_on_as_always(project):
    project.set_state(1, "done")
    assert project.edit(1, 0, SQUARE | {"class": 1}).revision == 1


def test_one_takes_back_what_one_called_done_oneself_and_nobody_elses(project):
    done(project, "anna")
    with author("ben"), pytest.raises(EditError, match="was called done by anna"):
        project.set_state(1, "in work")
    with author("anna"):
        project.set_state(1, "in work")
    assert project.photo(1).state == "in work"
    done(project, "anna")
    with author("rita"):
        project.team.review(1, "reviewed")
    with author("anna"), pytest.raises(EditError, match="reviewed and read-only"):
        project.set_state(1, "in work")


def test_a_review_is_of_what_the_reviewer_saw(project):
    draw(project, "anna")
    done(project, "anna")
    with author("rita"):
        with pytest.raises(StaleRevisionError, match="one.png was changed since you looked at it"):
            project.team.review(1, "reviewed", seen=0)
        project.team.review(1, "reviewed", seen=1)
    assert project.photo(1).review == "reviewed"


def test_nobody_calls_done_what_somebody_else_called_done(project):
    done(project, "anna")
    with author("ben"), pytest.raises(EditError, match="was called done by anna; a reviewer can return it"):
        project.set_state(1, "done")
    assert [one["who"] for one in project.team.trail(1)] == ["anna"]
    done(project, "anna")


@pytest.mark.parametrize(
    ("verdict", "note", "says"),
    [("returned", " ", "Say in a few words"), ("reviewed", "", "not done yet")],
)
def test_a_review_that_helps_nobody_is_refused(project, verdict, note, says):
    if verdict == "returned":
        done(project, "anna")
    with author("rita"), pytest.raises(EditError, match=says):
        project.team.review(1, verdict, note)


def test_photos_are_given_to_somebody_and_free_again_when_they_are_gone(project):
    with author("rita"):
        project.team.assign([1, 2], "anna")
        project.team.look(1, "anna")
        assert {key: row.assignee for key, row in project.team.standing().items()} == {1: "anna", 2: "anna"}
        assert project.team.free("anna") == 2
    assert project.team.standing() == {} and project.team.present() == {}
    assert [one["what"] for one in project.team.trail(2)] == ["assigned", "freed"]


def two_opinions(project):
    draw(project, "anna", 1)
    done(project, "anna")
    with author("rita"):
        project.team.second(1, "ben")
    assert not project.label_map(1)[0].any(), "ben sees nothing of what anna did"
    with author("ben"):
        for step in ("undo", "redo"):
            assert project.edit(1, project.photo(1).revision, {"type": step}).changed == 0
    draw(project, "ben", 1, points=[[10, 0], [30, 0], [30, 20], [10, 20]])
    draw(project, "ben", 2, points=[[0, 20], [40, 20], [40, 30], [0, 30]])
    done(project, "ben")


def test_two_opinions_are_compared_class_by_class_and_pixel_by_pixel(project):
    two_opinions(project)
    found = project.team.agreement(1)
    assert found.people == ("anna", "ben")
    assert found.iou == {1: pytest.approx(200 / 600), 2: 0.0}
    assert found.differs.sum() == 800 and found.pixels == pytest.approx(200 / 1000)


@pytest.mark.parametrize(("choice", "pixels"), [("anna", {1: 400}), ("ben", {1: 400, 2: 400}), ("agreed", {1: 200})])
def test_whoever_decides_takes_one_opinion_or_what_both_say(project, choice, pixels):
    two_opinions(project)
    with author("rita"):
        project.team.adjudicate(1, choice)
        ids, counts = np.unique(project.label_map(1)[0], return_counts=True)
        assert {int(k): int(n) for k, n in zip(ids, counts, strict=True) if k} == pixels
        assert sum(n for row, n in project.shares(1) if row.kind == "person") == sum(pixels.values())
        assert (project.photo(1).state, project.photo(1).assignee) == ("in work", "rita")
        draw(project, "rita", 2)
        done(project, "rita")
        project.team.review(1, "reviewed")
    types = [step["type"] for step in project.history(1)][-2:]
    assert types == ["polygon" if choice == "ben" else "adjudicate", "polygon"], "ben's was there already"


def test_a_second_opinion_is_asked_of_somebody_else_when_the_first_is_there(project):
    with author("rita"), pytest.raises(EditError, match="not done yet"):
        project.team.second(1, "ben")
    draw(project, "anna")
    done(project, "anna")
    with author("rita"), pytest.raises(EditError, match="anna has labelled one.png already"):
        project.team.second(1, "anna")
    with pytest.raises(EditError, match="Two people have to call"):
        project.team.agreement(1)
    with author("rita"), pytest.raises(EditError, match="nothing of theirs is kept"):
        project.team.adjudicate(1, "carl")
    assert project.photo(1).state == "done", "a decision that was refused changes nothing"


def test_a_deleted_class_counts_as_unlabelled_in_both_opinions(project):
    two_opinions(project)
    project.delete_class(2)
    assert project.team.agreement(1).iou == {1: pytest.approx(200 / 600)}
