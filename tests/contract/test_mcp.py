"""The named endpoints as tools over MCP: an assistant lists them, and calls them on the project that is served."""

import asyncio

import pytest

from tests.browser.conftest import serving_tiny
from textseg.project import Project
from textseg.vocabulary import Vocabulary

mcp = pytest.importorskip("mcp", reason="gradio[mcp] is not installed")


async def _asked(url: str, tool: str, arguments: dict[str, object]) -> tuple[set[str], str]:
    from mcp.client.streamable_http import streamablehttp_client

    async with (
        streamablehttp_client(f"{url}gradio_api/mcp/") as (read, write, _),
        mcp.ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = {one.name for one in (await session.list_tools()).tools}
        answer = await session.call_tool(tool, arguments)
        return tools, " ".join(one.text for one in answer.content if one.type == "text")


def test_an_assistant_lists_the_endpoints_and_asks_for_the_status_of_the_project(tmp_path):
    Project.create(tmp_path / "birds", Vocabulary.parse("gull, tern")).close()
    with serving_tiny(project=tmp_path / "birds") as url:
        tools, told = asyncio.run(_asked(url, "status", {"project": "birds"}))
        assert {"segment", "edit", "label_map", "history", "status", "pseudolabel", "train", "export"} <= tools
        assert "'gull'" in told and "'tern'" in told
        _, refused = asyncio.run(_asked(url, "status", {"project": "fish"}))
        assert "not served here" in refused
