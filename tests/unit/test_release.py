"""What a release says of itself agrees: version, licences, citation, locked versions, issue templates."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import textseg

ROOT = Path(__file__).parents[2]


def pinned(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {one.name.lower().replace("_", "-"): Version(next(iter(one.specifier)).version) for one in found}


def required():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_program_and_citation_have_one_version_and_the_changelog_knows_it():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == textseg.__version__
    assert f"## [{textseg.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_four_papers_are_cited():
    references = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["references"]
    assert [one["notes"] for one in references] == ["PACL", "MGCA", "MixReorg", "AFSS"]
    assert all(one["authors"] and one["identifiers"][0]["value"].startswith("arXiv:") for one in references)


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_every_requirement_is_locked_within_its_bounds(name):
    versions = pinned(name)
    for one in required():
        locked = versions.get(one.name.lower().replace("_", "-"), Version("0"))
        assert one.specifier.contains(locked), f"{name}: {one.name} {locked}: run .ci/versions.py lock"


def test_the_oldest_versions_are_the_lower_bounds():
    versions = pinned("constraints-oldest.txt")
    for name in ("torch", "gradio", "transformers"):
        (bound,) = (one.specifier for one in required() if one.name == name)
        lowest = min(Version(part.version) for part in bound if part.operator == ">=")
        assert versions[name].release[: len(lowest.release)] == lowest.release


def test_the_notice_names_every_asset_that_is_not_a_page():
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for path in (ROOT / "assets").rglob("*"):
        if path.is_file() and "web" not in path.parts:
            assert path.name in notice, path


def test_issue_templates_ask_for_the_doctor():
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        if path.name != "config.yml":
            template = yaml.safe_load(path.read_text("utf-8"))
            assert re.search("textseg doctor", str(template["body"])), path.name
