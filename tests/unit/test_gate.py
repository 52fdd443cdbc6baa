"""Which requests pass the gate: decided by whom they are sent to, which page sent them, and what they carry."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from textseg.web import gate
from textseg.web.gate import MAX_JSON_BYTES, Gate, known_as

HOST = "127.0.0.1:7860"
JSON = {"content-type": "application/json"}


@pytest.fixture
def ask():
    """`ask(method, headers, body, **options of the gate)`: what passes reads its body and says "through"."""

    async def app(scope, receive, send):
        more = scope["type"] == "http"
        while more:
            more = (await receive()).get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"through"})

    def ask(method="POST", headers=None, body=b"{}", **options):
        client = TestClient(Gate(app, **options), raise_server_exceptions=False)
        return client.request(method, "/", headers={"host": HOST} | (headers or {}), content=body)

    return ask


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7860", "", "[", "a b", "evil.example@127.0.0.1",
     "127.0.0.1/evil.example", "127.0.0.1#evil.example", "localhost:7860,evil.example", "localhost:port", "127.1",
     "[::1%evil.example]", "localhost.", "2130706433", "[::1]evil.example"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_that_is_not_this_servers_reaches_nothing(ask, host, method):
    assert ask(method, JSON | {"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7860", "127.0.0.1", "[::1]:7860", "192.168.1.7:7860"])
def test_this_machine_and_addresses_reach_it(ask, host):
    assert ask("GET", {"host": host}).text == "through"


@pytest.mark.parametrize(
    "sender",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:7860"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
        {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"}, {"origin": "garbage"}, {"origin": ""},
        {"origin": "http://["}, {"origin": f"ftp://{HOST}"}, {"origin": f"http://{HOST}/, http://evil.example"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "HEAD"])
@pytest.mark.parametrize("host", [HOST, "[::1]:7860", "192.168.1.7:7860"])
def test_what_another_page_sends_changes_and_reads_nothing(ask, sender, method, host):
    assert ask(method, JSON | {"host": host} | sender).status_code == 403


def test_a_link_of_another_page_opens_the_page_and_its_pictures_and_scripts_load_nothing(ask):
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert ask("GET", elsewhere | {"sec-fetch-mode": "navigate"}).text == "through"
    assert ask("GET", elsewhere | {"sec-fetch-mode": "no-cors"}).status_code == 403
    assert ask("POST", JSON | elsewhere | {"sec-fetch-mode": "navigate"}).status_code == 403
    assert ask("GET", elsewhere | {"sec-fetch-mode": "navigate", "origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    "sender", [{}, {"origin": f"http://{HOST}"}, {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}]
)
def test_its_own_page_and_programs_pass(ask, sender):
    assert ask("POST", JSON | sender).text == "through"


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", ""]
)
def test_a_body_is_json_or_a_form_with_files(ask, kind):
    assert ask("POST", {"content-type": kind}).status_code == 415
    assert ask("POST", {"content-type": "application/json; charset=utf-8"}).text == "through"
    assert ask("POST", {}, b"").text == "through"


def test_a_body_has_a_limit_whether_it_says_its_length_or_not(ask):
    assert ask("POST", JSON | {"content-length": "9" * 14}).status_code == 413
    pieces = (b" " * 2**20 for _ in range(MAX_JSON_BYTES // 2**20 + 1))
    assert ask("POST", JSON, pieces).status_code == 413
    assert ask("POST", JSON, b" " * MAX_JSON_BYTES).text == "through"


def test_what_is_said_twice_is_refused():
    """Two programs on the way might each believe another one of them."""
    twice = [(b"host", HOST.encode()), (b"origin", f"http://{HOST}".encode()), (b"origin", b"http://evil.example")]
    assert answers(twice) == 400


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/process_recording", "/gradio_api/proxy=https://a.hf.space/", "/gradio_api/dev/reload", "/login"],
)
def test_what_no_page_asks_for_is_not_there(path):
    assert answers([(b"host", HOST.encode())], path=path) == 404


def test_so_many_requests_are_answered_at_a_time(ask, monkeypatch):
    monkeypatch.setattr(gate, "MAX_AT_ONCE", 0)
    assert ask("GET").status_code == 503 and "try again" in ask("GET").text


def test_a_body_that_stops_coming_is_given_up(monkeypatch):
    monkeypatch.setattr(gate, "MAX_PAUSE", 0.01)
    kind = [(b"host", HOST.encode()), (b"content-type", b"application/json"), (b"content-length", b"9")]
    assert answers(kind, method="POST", pieces=[b"{"]) == 408


def test_files_are_refused_while_the_disk_is_nearly_full(ask, monkeypatch):
    monkeypatch.setattr(gate, "SPARE_DISK", 2**80)
    assert ask("POST", {"content-type": "multipart/form-data; boundary=b"}).status_code == 507
    assert ask("POST", JSON).text == "through"


def test_an_error_of_the_app_is_one_sentence_and_the_log_holds_nobodys_words(caplog):
    async def app(scope, receive, send):
        raise KeyError("what somebody wrote")

    with caplog.at_level(logging.ERROR):
        assert answers([(b"host", HOST.encode())], app=app) == 500
    assert "KeyError" in caplog.text and "test_gate.py" in caplog.text and "somebody wrote" not in caplog.text


def answers(headers, method="GET", path="/", pieces=(b"",), app=None):
    """The status of a request made of exactly these headers and pieces of a body, after which nothing comes."""

    async def through(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def asked():
        left, sent = list(pieces), []

        async def receive():
            if left:
                body = left.pop(0)
                return {"type": "http.request", "body": body, "more_body": bool(body)}
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
        await Gate(app or through)(scope, receive, send)
        return sent[0]["status"]

    with ThreadPoolExecutor(1) as thread:  # the tab of browser tests keeps a loop in the main one
        return thread.submit(asyncio.run, asked()).result()


def test_behind_a_proxy_the_name_that_browsers_use_is_allowed_by_name(ask):
    page = JSON | {"origin": "https://label.example.org"}
    assert ask("POST", page).status_code == 403
    assert ask("POST", page, allowed=["Label.example.org:443"]).text == "through"
    assert ask("POST", page | {"host": "label.example.org"}, allowed=["label.example.org"]).text == "through"
    assert ask("POST", JSON | {"origin": "https://evil.example"}, allowed=["label.example.org"]).status_code == 403


def test_a_space_is_reached_by_its_own_name_and_shown_in_the_hubs_frame(ask, monkeypatch):
    monkeypatch.setenv("SPACE_HOST", "someone-textseg.hf.space")
    page = {"host": "someone-textseg.hf.space", "origin": "https://someone-textseg.hf.space"}
    answer = ask("POST", JSON | page, allowed=known_as(), in_space=True)
    assert (
        answer.text == "through"
        and "frame-ancestors 'self' https://huggingface.co" in answer.headers["content-security-policy"]
    )
    assert "x-frame-options" not in answer.headers


def test_answers_may_not_be_framed_guessed_at_or_loaded_elsewhere(ask):
    for answer in (ask("GET"), ask("POST", {"origin": "null"})):
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_the_root_path_of_a_proxy_brings_its_name_along(monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://label.example.org/textseg")
    assert known_as(["a.example"]) == ["a.example", "label.example.org"]
