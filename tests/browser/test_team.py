"""Two people in two windows: they sign in, meet on a photo, disagree, and a reviewer decides."""

import re

import numpy as np
import pytest

from tests.browser.conftest import serving_tiny
from tests.browser.labelling import SIZE, saved, stroke
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.project.author import author
from textseg.users import Users
from textseg.vocabulary import Vocabulary

PASSWORD = "correct horse"
WIDE = {"viewport": {"width": 1440, "height": 900}}


@pytest.fixture
def team(tmp_path):
    """(address, project, people): anna and ben label, rita reviews, vera looks; two photos."""
    project = Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa, wall"))
    for seed in range(2):
        noise_photo(*SIZE, seed=seed).save(tmp_path / f"photo{seed}.png")
    project.add([tmp_path / "photo0.png", tmp_path / "photo1.png"])
    users = Users.make(tmp_path / "users.json")
    for name, role in (("anna", "label"), ("ben", "label"), ("rita", "review"), ("vera", "view")):
        users.add(name, role, PASSWORD)
    with serving_tiny(project=tmp_path / "p", users=tmp_path / "users.json") as url:
        yield url, project, users


@pytest.fixture
def sign_in(team, new_page):
    """`sign_in("anna")`: her window, with the first photo in hand."""

    def enter(name, password=PASSWORD, **more):
        page = new_page(expects="403", **WIDE | more)
        page.goto(f"{team[0]}#label/1")
        page.fill("[name=name]", name)
        page.fill("[name=password]", password)
        page.click("button[type=submit]")
        if password == PASSWORD:
            page.wait_for_selector(".labelling[data-photo='1']")
            page.wait_for_selector(".team .heading")
        return page

    return enter


def again(page):
    """Look at the project as a window does that comes to the front."""
    page.evaluate("window.dispatchEvent(new Event('focus'))")


def test_a_wrong_password_is_told_and_the_right_one_leads_to_the_photo_that_was_asked_for(sign_in):
    page = sign_in("anna", "guess")
    assert page.inner_text(".problem:not([hidden])") == "Name or password is wrong."
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector(".labelling[data-photo='1']")
    page.wait_for_selector(".me:not([hidden])")
    assert "anna" in page.inner_text(".me")
    page.click(".me button")
    page.wait_for_selector("[name=password]")


def test_two_people_meet_disagree_and_a_reviewer_decides(team, sign_in):
    _, project, _ = team
    anna = sign_in("anna")
    ben = sign_in("ben")
    assert "anna is on this photo too" in ben.inner_text(".team .warn")
    anna.keyboard.press("b")
    stroke(anna, (60, 100), (200, 100))
    saved(anna, 1)
    # Ben has not seen it: his stroke on the old state is refused, and he sees the newer one.
    ben.keyboard.press("b")
    stroke(ben, (60, 40), (200, 40))
    ben.wait_for_selector(".problem:has-text('changed elsewhere meanwhile')")
    ben.wait_for_selector(".labelling[data-revision='1']")

    anna.click("[data-do=done]")
    anna.wait_for_selector(".labelling[data-photo='2']")
    again(ben)
    ben.wait_for_selector(".labelling.finished")
    stroke(ben, (60, 40), (200, 40))
    ben.wait_for_selector(".problem:has-text('read-only')")
    assert project.label_map(1)[1] == 1

    rita = sign_in("rita")
    rita.select_option("[aria-label='Second opinion']", "ben")
    rita.wait_for_selector(".labelling[data-revision='2']")
    assert not project.label_map(1)[0].any()
    again(ben)
    ben.wait_for_selector(".labelling[data-revision='2']:not(.finished)")
    stroke(ben, (60, 104), (200, 104))
    saved(ben, 3)
    ben.click("[data-do=done]")
    ben.wait_for_selector(".labelling[data-photo='2']")

    rita.reload()
    rita.wait_for_selector(".labelling.finished")
    rita.get_by_role("button", name="Compare").click()
    rita.wait_for_selector("dialog[open] .agreement")
    dialog = rita.inner_text("dialog[open]")
    assert "anna and ben" in dialog and re.search(r"cat\s+\d\d %", dialog)
    anna_says = project.team.agreement(1)
    rita.get_by_role("button", name="Keep what both say").click()
    rita.wait_for_selector(".labelling[data-revision='4']:not(.finished)")
    both = project.label_map(1)[0]
    assert both.any() and not both[anna_says.differs].any()
    rita.click("[data-do=done]")
    rita.wait_for_selector(".labelling[data-photo='2']")
    rita.goto(f"{team[0]}#label/1")
    rita.wait_for_selector(".labelling[data-photo='1'].finished")
    rita.get_by_role("button", name="Reviewed", exact=True).click()
    rita.wait_for_selector(".team .heading:has-text('Reviewed')")
    assert project.photo(1).review == "reviewed"
    assert {step.get("by") for step in project.history(1)} == {"anna", "ben", "rita"}


def test_what_is_returned_comes_back_with_its_note(team, sign_in):
    _, project, _ = team
    with author("anna"):
        project.edit(1, 0, {"type": "brush", "class": 1, "radius": 9, "points": [[50, 50]]})
        project.set_state(1, "done")
    rita = sign_in("rita")
    rita.get_by_role("button", name="Return", exact=True).click()
    rita.get_by_role("button", name="Return it").click()
    rita.wait_for_selector(".problem:has-text('Say in a few words')")
    rita.fill(".give-back textarea", "The tail is missing.")
    rita.get_by_role("button", name="Return it").click()
    rita.wait_for_selector(".team .heading:has-text('Returned')")
    anna = sign_in("anna")
    assert "The tail is missing." in anna.inner_text(".team .returned")
    anna.select_option("[data-part=filter]", "mine")
    assert anna.locator(".rows li").count() == 1
    anna.keyboard.press("b")
    stroke(anna, (60, 100), (200, 100))
    saved(anna, 2)


def test_whoever_may_only_look_is_told_so_and_changes_nothing(team, sign_in):
    vera = sign_in("vera")
    vera.keyboard.press("b")
    stroke(vera, (60, 100), (200, 100))
    vera.wait_for_selector(".problem:has-text(\"takes the role 'label'\")")
    assert np.array_equal(team[1].label_map(1)[1], 0)
    assert not vera.is_visible("[data-part=add]") and not vera.is_visible("[data-part=run]")


def test_a_stroke_of_somebody_who_was_signed_out_waits_until_they_are_back(team, sign_in):
    _, project, users = team
    anna = sign_in("anna")
    users.add("anna", "label", "another password")
    anna.keyboard.press("b")
    stroke(anna, (60, 100), (200, 100))
    anna.wait_for_selector(".save:has-text('until you sign in again')")
    users.add("anna", "label", PASSWORD)
    anna.goto(team[0])
    anna.fill("[name=name]", "anna")
    anna.fill("[name=password]", PASSWORD)
    anna.click("button[type=submit]")
    saved(anna, 1)
    assert project.history(1)[0]["by"] == "anna"


def test_the_pages_fit_a_phone(team, sign_in):
    page = sign_in("rita", viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".me button").bounding_box()["x"] < 390 - 24
