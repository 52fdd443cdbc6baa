"""The rules of docs/adr/002-who-may-know-whom.md, and what they buy: quick imports."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_modules_know_only_what_they_may():
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    linted = python(lint, "--no-cache", "--no-logo")
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import textseg", {"torch", "gradio", "trainer"}),
        ("from textseg.cli import main", {"torch", "gradio"}),
        ("from textseg.cli import build_parser; build_parser().format_help()", {"torch", "gradio", "numpy", "trainer"}),
        (
            "from textseg.model import backbones; backbones.names()",
            {"open_clip", "sentence_transformers", "segment_anything", "skimage", "gradio", "trainer"},
        ),
    ],
)
def test_importing_stays_light(statement, heavy):
    code = f"import sys; {statement}; print(*{heavy!r} & set(sys.modules))"
    imported = python(code)
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.split() == []
