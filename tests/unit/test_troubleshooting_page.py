"""docs/troubleshooting.md names sentences that the program says: each is somewhere in the code, as it stands there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCES: list[str] = re.findall(r"^### (.+)$", (ROOT / "docs/troubleshooting.md").read_text("utf-8"), re.MULTILINE)


def said(file: Path) -> Iterator[str]:
    """The texts of a Python file, "…" where a value is filled in."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def texts() -> list[str]:
    files = [file for package in ("textseg", "trainer") for file in (ROOT / package).rglob("*.py")]
    return [re.sub("…+", "…", text) for file in files for text in said(file)]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_program_says(sentence: str, texts: list[str]) -> None:
    assert any(sentence in text for text in texts), f"no such sentence in the code: {sentence}"


def test_there_are_sentences_of_every_room() -> None:
    assert len(SENTENCES) > 25
