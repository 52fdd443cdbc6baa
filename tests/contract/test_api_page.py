"""docs/api.md: every example runs as it stands there, and every endpoint has one of each kind."""

import asyncio
import base64
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.browser.conftest import serving_tiny
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.users import Users
from textseg.vocabulary import Vocabulary
from textseg.web.api.tools import TOOLS

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
SECTIONS = {title.split()[0]: text for title, text in re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", PAGE, re.M)}
NAMED = [name for name in SECTIONS if name.startswith("/")]
SERVED = "http://127.0.0.1:7860"


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


either = pytest.mark.parametrize("server", [False, True], ids=["anybody", "people"], indirect=True)
anybody = pytest.mark.parametrize("server", [False], ids=["anybody"], indirect=True)
with_people = pytest.mark.parametrize("server", [True], ids=["people"], indirect=True)


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    """(address, folder with cat.jpg, whether people sign in) of a server as the page describes it."""
    folder = tmp_path_factory.mktemp("api")
    noise_photo(300, 200).save(folder / "cat.jpg")
    project = Project.create(folder / "pets", Vocabulary.parse("cat, sofa, wall"))
    project.add([folder / "cat.jpg"])
    options = {"project": folder / "pets", "mcp": True}
    if request.param:
        users = Users.make(folder / "users.json")
        users.add("anna", "own", "correct horse")
        options["users"] = users.path
    with serving_tiny(**options) as url:
        yield url.rstrip("/"), folder, request.param


def test_every_endpoint_is_on_the_page():
    from textseg.web.access import ENDPOINTS

    assert {name.strip("/") for name in NAMED} == {name for name in ENDPOINTS if not name.startswith("tool_")}
    for name in NAMED:
        assert f"{name} ({ENDPOINTS[name.strip('/')]})" in PAGE
        assert blocks("python", SECTIONS[name]) and blocks("sh", SECTIONS[name]), name


@either
def test_the_python_examples_run_one_after_the_other(server, monkeypatch):
    url, folder, people = server
    monkeypatch.chdir(folder)
    begin = blocks("python", PAGE.partition("## /segment")[0])
    named = blocks("python", SECTIONS["With"])
    assert len(begin) == 1 and len(named) == 1
    code = begin + (named if people else [])
    for name in NAMED:
        code += blocks("python", SECTIONS[name])
    if people:  # the first client would be nobody
        code[0] = code[0].partition("client =")[0]
    space: dict = {}
    exec("\n".join(code).replace(SERVED, url), space)
    assert space["status"]["photos"]["total"] == 1 and space["facts"]["size"] == [300, 200]
    assert [step["type"] for step in space["steps"]] == ["brush", "undo"]
    assert Path(space["archive"]).suffix == ".zip" and space["training"]["cancel"] is True


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@anybody
@pytest.mark.parametrize("name", NAMED)
def test_the_curl_examples_run(server, name):
    url, folder, _ = server
    if name == "/edit":  # the example speaks of a photo without labels
        project = Project(folder / "pets")
        with project.database.writing() as session:
            from sqlalchemy import text

            for table in ("edit", "tile", "pixel_count"):
                session.execute(text(f"DELETE FROM {table}"))
            session.execute(text("UPDATE photo SET revision = 0, undo_top = NULL, redo_top = NULL"))
        project.close()
    run_in_a_shell(url, folder, SECTIONS[name])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@with_people
def test_the_curl_example_with_a_name_runs(server):
    run_in_a_shell(server[0], server[1], SECTIONS["With"])


def run_in_a_shell(url: str, folder: Path, section: str) -> None:
    for code in blocks("sh", section):
        done = subprocess.run(
            ["sh", "-ec", f"URL={url}\n{code}"], cwd=folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0 and "event: complete" in done.stdout, done.stdout + done.stderr


async def ask(url: str, name: str, headers: dict, **arguments):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with (
        streamablehttp_client(f"{url}/gradio_api/mcp/", headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        return tools, await session.call_tool(name, arguments)


def asked(question):
    """What a coroutine answers, in a thread of its own: Playwright's tests leave a running loop in theirs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


@either
def test_an_assistant_has_three_tools_and_no_more(server):
    pytest.importorskip("mcp", reason="mcp is not installed (pip install 'textseg[mcp]')")
    url, folder, people = server
    coded = base64.b64encode(b"anna:correct horse").decode()
    headers = {"Authorization": f"Basic {coded}"} if people else {}
    tools, answer = asked(ask(url, "project_state", headers))
    assert sorted(tools) == sorted(TOOLS)
    assert json.loads(answer.content[0].text)["project"] == "pets"
    _, answer = asked(ask(url, "segment", headers, photo="cat.jpg", words="cat, sofa"))
    assert json.loads(answer.content[0].text)["size"] == [300, 200]
    data = "data:image/jpeg;base64," + base64.b64encode((folder / "cat.jpg").read_bytes()).decode()
    _, answer = asked(ask(url, "segment", headers, photo=data, words="cat"))
    assert [one["name"] for one in json.loads(answer.content[0].text)["classes"]] == ["cat"]
    for forged in ("/etc/passwd", "http://127.0.0.1/", "data:image/png;base64,????", "file:///etc/passwd"):
        _, answer = asked(ask(url, "segment", headers, photo=forged, words="cat"))
        assert answer.isError, forged
    _, answer = asked(ask(url, "train", headers, project="pets"))
    assert answer.isError
    _, answer = asked(ask(url, "project_state", headers, project="fish"))
    assert answer.isError and "not served here" in answer.content[0].text


@with_people
def test_an_assistant_without_a_name_is_refused(server):
    pytest.importorskip("mcp", reason="mcp is not installed (pip install 'textseg[mcp]')")
    url, _, _ = server
    with pytest.raises(BaseExceptionGroup):
        asked(ask(url, "project_state", {}))
