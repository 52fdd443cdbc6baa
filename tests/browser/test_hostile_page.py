"""A web page of somebody else, open in the same browser: it must not be able to use the server of this machine."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import serving_tiny
from tests.label_maps import make_project
from textseg.project import Project

ATTACK = """
<form id="form" method="post" enctype="text/plain" action="{url}gradio_api/component_server" target="out">
<textarea name='{json}'></textarea></form><iframe name="out"></iframe>
<iframe id="frame" src="{url}"></iframe>
"""


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path / "p", ["cat"], {"one.png": (30, 20)})
    made.close()
    return tmp_path / "p"


@pytest.fixture
def served(project):
    with serving_tiny(project=project) as url:
        yield url


def raw(url, method, path, headers, body=b""):
    """(status, body) of one request with exactly these headers."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"content-length": str(len(body))} | headers).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def component(url, name):
    config = json.loads(raw(url, "GET", "/config", {"host": urlsplit(url).netloc})[1])
    return next(c["id"] for c in config["components"] if c["props"].get("elem_id") == f"{name}-page")


def message(url, folder, **more):
    """A call of the server function that makes a project in a folder of the attacker's choice."""
    return {
        "data": {"folder": str(folder), "words": "cat", **more}, "component_id": component(url, "label"),
        "fn_name": "make_project", "session_hash": "x",
    }  # fmt: skip


@pytest.fixture
def elsewhere(served, tmp_path):
    """The address of a server of another origin with the attacker's page."""
    attack = json.dumps(message(served, tmp_path / "form"))[:-1] + ', "x": "'

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(ATTACK.format(url=served, json=attack.replace("'", "&#39;")).encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_hostile_page_makes_no_project_by_fetch_form_or_frame(served, elsewhere, new_page, tmp_path):
    page = new_page(expects=r"Failed to load resource|frame-ancestors|X-Frame-Options|Refused to|Framing")
    page.goto(elsewhere)
    fetch = """async ([url, body, type]) => {
        try { return (await fetch(url + "gradio_api/component_server", {method: "POST", mode: "no-cors", body,
            headers: type ? {"content-type": type} : {}})).type } catch (error) { return "failed" } }"""
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        page.evaluate(fetch, [served, json.dumps(message(served, tmp_path / "fetch")), kind])
    page.evaluate("document.getElementById('form').submit()")
    page.wait_for_function("window.frames.out.length !== undefined")
    page.wait_for_load_state("networkidle")
    frame = next(f for f in page.frames if f.parent_frame and f.name != "out")
    assert frame.url.startswith("chrome-error") and frame.locator(".shell").count() == 0
    assert not (tmp_path / "fetch").exists() and not (tmp_path / "form").exists()


def test_a_name_that_an_attacker_makes_resolve_here_reads_and_writes_nothing(served, tmp_path):
    body = json.dumps(message(served, tmp_path / "rebound")).encode()
    for host in ("evil.example", f"evil.example:{urlsplit(served).port}"):
        status, answer = raw(served, "GET", "/config", {"host": host})
        assert status == 421 and b"components" not in answer
        headers = {"host": host, "origin": f"http://{host}", "content-type": "application/json"}
        assert raw(served, "POST", "/gradio_api/component_server", headers, body)[0] == 421
    assert not (tmp_path / "rebound").exists()


def test_a_program_without_the_pages_token_calls_no_server_function(served, tmp_path):
    here = {"host": urlsplit(served).netloc, "content-type": "application/json"}
    for more in ({}, {"token": "guessed"}, {"token": ""}):
        body = json.dumps(message(served, tmp_path / "made", **more)).encode()
        status, answer = raw(served, "POST", "/gradio_api/component_server", here, body)
        assert status == 200 and json.loads(answer)["expired"]
    assert not (tmp_path / "made").exists()


def test_curl_and_gradio_client_work_without_origin(served, project):
    from gradio_client import Client

    here = {"host": urlsplit(served).netloc, "content-type": "application/json"}
    status, answer = raw(served, "POST", "/gradio_api/call/status", here, b'{"data": ["p"]}')
    assert status == 200
    event = json.loads(answer)["event_id"]
    stream = raw(served, "GET", f"/gradio_api/call/status/{event}", here)[1]
    assert b"event: complete" in stream and b'"total": 1' in stream
    client = Client(served, verbose=False, analytics_enabled=False)
    client.predict("p", "one.png", 0, {"type": "brush", "class": 1, "radius": 3, "points": [[9, 9]]}, api_name="/edit")
    assert Project(project).label_map("one.png")[1] == 1


def test_a_page_goes_on_after_the_server_was_started_again(served, project, new_page):
    from textseg.web.rpc.page import TOKEN

    page = new_page()

    def of_an_earlier_start(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(TOKEN, "the token of an earlier start"))

    page.route(served, of_an_earlier_start, times=1)
    page.goto(f"{served}#label")
    page.wait_for_selector(".labelling[data-photo='1']")
    page.keyboard.press("b")
    box = page.locator(".desk [data-part=board]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(".labelling[data-revision='1']")
    assert Project(project).label_map("one.png")[1] == 1
