"""docs/models.md is what the registries say."""

import subprocess
import sys
from pathlib import Path

from textseg.model import towers

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_one_that_the_registries_give() -> None:
    """Write it anew with: python docs/make_models.py"""
    made = subprocess.run(  # in a process of its own, in which tests have registered nothing
        [sys.executable, "docs/make_models.py", "-"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert made == (ROOT / "docs/models.md").read_text("utf-8")
    assert all(f"**{towers.facts(name).title}**" in made for name in towers.names())
