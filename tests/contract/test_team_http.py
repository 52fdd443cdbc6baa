"""A server with people, over HTTP: nothing is reached without a name, and each may do what the role says."""

import json
import re

import httpx
import pytest
from gradio_client import Client

from tests.browser.conftest import serving_tiny
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.users import Users
from textseg.vocabulary import Vocabulary

STROKE = {"type": "brush", "class": 1, "radius": 3, "points": [[9, 9]]}
PEOPLE = {"vera": "view", "anna": "label", "rita": "review", "olga": "own"}
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    noise_photo(40, 30).save(folder / "one.png")
    project = Project.create(folder / "p", Vocabulary.parse("cat, sofa"))
    project.add([folder / "one.png"])
    users = Users.make(folder / "users.json")
    for name, role in PEOPLE.items():
        users.add(name, role, PASSWORD)
    with serving_tiny(project=folder / "p", users=folder / "users.json") as url:
        yield url, project, users


class Page:
    """A browser of one person, as far as the server can tell."""

    def __init__(self, url: str, name: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60, headers={"Origin": url.rstrip("/")})
        self.signed = self.http.post("/sign-in", json={"name": name, "password": PASSWORD})
        page = self.http.get("/", headers={"Accept": "text/html"}).text
        self.token = re.search(r'textseg-token[\\"]+ content=[\\"]+([\w-]+)', page)[1]
        self.ids = {
            one["props"]["elem_id"]: one["id"]
            for one in self.http.get("/config").json()["components"]
            if one["props"].get("elem_id")
        }
        self.key = self.call("overview")["key"]

    def call(self, name: str, page: str = "label", **message):
        data = {"token": self.token, "project": getattr(self, "key", None), **message}
        body = {"data": data, "fn_name": name, "component_id": self.ids[f"{page}-page"], "session_hash": "x"}
        return self.http.post("/gradio_api/component_server", json=body).json()


@pytest.fixture(scope="module")
def people(server):
    return {name: Page(server[0], name) for name in PEOPLE}


ADDRESSES = ["/", "/config", "/gradio_api/info", "/gradio_api/heartbeat/x", "/gradio_api/file=/etc/passwd",
             "/theme.css", "/web/label/label.js", "/gradio_api/queue/data?session_hash=x",
             "/web/shell/shell.js"]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_reached_without_a_name(server, address):
    answer = httpx.get(server[0].rstrip("/") + address)
    assert answer.status_code == 401 and "Sign in first" in answer.text


@pytest.mark.parametrize("address", ["/gradio_api/call/status", "/gradio_api/queue/join", "/gradio_api/upload",
                                     "/gradio_api/run/predict", "/gradio_api/reset"])  # fmt: skip
def test_nothing_is_done_without_a_name(server, address):
    answer = httpx.post(server[0].rstrip("/") + address, json={"data": ["p"], "fn_index": 0, "session_hash": "x"})
    assert answer.status_code == 401


def test_a_browser_is_led_to_the_sign_in_page_which_needs_nothing_else(server):
    with httpx.Client(base_url=server[0], headers={"Accept": "text/html"}) as browser:
        led = browser.get("/")
        assert led.status_code == 303 and led.headers["location"] == "/sign-in"
        page = browser.get("/sign-in").text
        for address in re.findall(r'(?:href|src)="([^"]+)"', page):
            assert browser.get(f"/{address}").status_code == 200, address


def test_a_session_is_a_cookie_that_scripts_and_other_sites_never_see(people):
    cookie = people["anna"].signed.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie


@pytest.mark.parametrize(
    "body", [{"name": "anna", "password": "guess"}, {"name": "nobody", "password": PASSWORD}, {"name": 3}, [], "x"]
)
def test_a_wrong_sign_in_is_one_sentence(server, body):
    answer = httpx.post(f"{server[0]}sign-in", json=body)
    assert answer.status_code == 403 and answer.json() == {"ok": False, "error": "Name or password is wrong."}


def test_another_site_cannot_sign_anybody_in(server):
    body = {"name": "anna", "password": PASSWORD}
    assert httpx.post(f"{server[0]}sign-in", json=body, headers={"Origin": "http://evil.example"}).status_code == 403


WHAT = {
    "view": [("label", "open", {"photo": 1}), ("data", "overview", {}), ("learn", "state", {}),
             ("label", "trail", {"photo": 1})],
    "label": [("label", "set_note", {"photo": 1, "note": "n"})],
    "review": [("label", "assign", {"photos": [1], "whom": "anna"}), ("data", "work", {"action": "look"})],
    "own": [("label", "run", {"action": "look"}), ("learn", "keep", {"on": False}), ("shell", "stop", {})],
}  # fmt: skip


@pytest.mark.parametrize("name", PEOPLE)
def test_each_does_what_the_role_lets_them_and_is_told_of_the_rest(people, name):
    order = list(WHAT)
    for role, calls in WHAT.items():
        for page, function, message in calls:
            answer = people[name].call(function, page, **message)
            if order.index(PEOPLE[name]) >= order.index(role):
                assert answer["ok"], (function, answer)
            else:
                expected = f"That takes the role '{role}', and yours is '{PEOPLE[name]}'."
                assert answer == {"ok": False, "error": expected}


def client(server, name, password=PASSWORD):
    import base64

    coded = base64.b64encode(f"{name}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {coded}"}
    return Client(server[0], headers=headers, verbose=False, analytics_enabled=False)


def test_named_endpoints_know_who_calls(server):
    anna, vera = client(server, "anna"), client(server, "vera")
    revision = anna.predict("p", "one.png", api_name="/label_map")[1]
    assert anna.predict("p", "one.png", revision, STROKE, api_name="/edit")["revision"] == revision + 1
    assert anna.predict("p", "one.png", api_name="/history")[-1]["by"] == "anna"
    with pytest.raises(Exception, match="takes the role 'label', and yours is 'view'"):
        vera.predict("p", "one.png", revision + 1, STROKE, api_name="/edit")
    with pytest.raises(Exception, match="takes the role 'own'"):
        anna.predict("p", {}, api_name="/train")
    with pytest.raises(Exception, match="credentials"):
        client(server, "anna", "guess")


def test_who_is_removed_is_out_and_what_they_had_is_free(server):
    url, project, users = server
    users.add("carl", "label", PASSWORD)
    carl, rita = Page(url, "carl"), Page(url, "rita")
    assert rita.call("assign", photos=[1], whom="carl")["ok"] and carl.call("look", photo=1)["ok"]
    assert rita.call("look", photo=1)["others"][0]["who"] == "carl"
    users.remove("carl")
    assert carl.call("look", photo=1) == {
        "ok": False, "signed_out": True, "error": "You are not signed in any more; reload the page and sign in.",
    }  # fmt: skip
    told = rita.call("team")["team"]
    assert "carl" not in json.dumps(told) and project.photo(1).assignee is None
    assert rita.call("look", photo=1)["others"] == []


def test_signing_out_ends_the_session(server):
    vera = Page(server[0], "vera")
    kept = dict(vera.http.cookies)
    assert vera.http.post("/sign-out").json() == {"ok": True}
    assert httpx.get(f"{server[0]}config", cookies=kept).status_code == 401


def test_a_photo_is_given_only_to_somebody_who_may_label_it(people):
    for whom, says in (("nobody", "nobody called 'nobody'"), ("vera", "vera may only look")):
        answer = people["rita"].call("assign", photos=[1], whom=whom)
        assert not answer["ok"] and says in answer["error"]


def test_two_opinions_travel_to_the_page(server, people):
    anna, rita, olga = people["anna"], people["rita"], people["olga"]
    revision = anna.call("open", photo=1)["revision"]
    assert anna.call("edit", photo=1, base_revision=revision, operation=STROKE | {"class": 2})["ok"]
    assert anna.call("set_state", photo=1, state="done")["ok"]
    refused = anna.call("edit", photo=1, base_revision=revision + 1, operation=STROKE)
    assert not refused["ok"] and "read-only" in refused["error"]
    assert rita.call("second", photo=1, whom="olga")["ok"]
    revision = olga.call("open", photo=1)["revision"]
    assert olga.call("edit", photo=1, base_revision=revision, operation=STROKE)["ok"]
    assert olga.call("set_state", photo=1, state="done")["ok"]
    told = rita.call("agreement", photo=1)
    assert (told["people"], told["pixels"]) == (["anna", "olga"], 0.0) and told["differs"]
    assert rita.call("adjudicate", photo=1, choice="anna")["ok"]
    assert rita.call("set_state", photo=1, state="done")["ok"]
    assert rita.call("review", photo=1, verdict="reviewed")["ok"]
    said = [one["what"] for one in rita.call("trail", photo=1)["trail"]]
    assert said[-3:] == ["adjudicated", "labelled", "reviewed"]
