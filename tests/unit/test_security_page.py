"""docs/security.md says which test holds each line: every one of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_exists_and_every_attempt_has_one():
    page = (ROOT / "docs/security.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in tests] == []
    attempts = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| attempt ")]
    assert [line for line in attempts if "`test_" not in line] == []
