from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from textseg import space
from textseg.errors import SpaceError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fields():
    return space.read(ROOT / "Spacefile")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space") / "out"
    space.build(folder)
    return folder


def test_the_spacefile_asks_for_a_gradio_that_the_requirements_allow(fields):
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    gradio = next(Requirement(line) for line in lines if line.startswith("gradio"))
    assert fields["sdk"] == "gradio"
    assert fields["sdk_version"] in gradio.specifier
    assert fields["sdk_version"].split(".")[0] == metadata.version("gradio").split(".")[0]


def test_the_spacefile_asks_for_a_python_that_the_package_allows(fields):
    assert Requirement("x>=3.11").specifier.contains(fields["python_version"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colorFrom", "mauve"),
        ("sdk", "streamlit"),
        ("sdk_version", 6.31),
        ("python_version", "3.10"),
        ("python_version", 3.12),
        ("suggested_hardware", "gpu"),
        ("short_description", "x" * 61),
        ("startup_duration_timeout", "soon"),
        ("pinned", "no"),
        ("tags", "segmentation"),
        ("header", "big"),
        ("storage", "large"),
    ],
)
def test_a_field_that_a_space_would_not_understand_is_refused_by_name(fields, field, value):
    with pytest.raises(SpaceError, match=field):
        space.check(fields | {field: value})


@pytest.mark.parametrize("field", sorted(space.FIELDS))
def test_a_missing_field_is_refused_by_name(fields, field):
    del fields[field]
    with pytest.raises(SpaceError, match=f"lacks the field '{field}'"):
        space.check(fields)


def test_the_built_front_matter_is_the_spacefile(built, fields):
    empty, front, body = (built / "README.md").read_text("utf-8").split("---\n", 2)
    assert empty == ""
    assert yaml.safe_load(front) == fields
    assert body.strip().startswith("# textseg")


def test_the_opening_has_no_link_into_the_checkout(built):
    body = (built / "README.md").read_text("utf-8").split("---\n", 2)[2]
    assert "](docs/" not in body and "](assets/" not in body


def test_the_built_space_holds_what_it_runs(built, fields):
    assert (built / fields["app_file"]).read_bytes() == (ROOT / "app.py").read_bytes()
    for folder in ("textseg", "trainer", "assets"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        assert files and all((built / path.relative_to(ROOT)).is_file() for path in files)
    assert not list(built.rglob("__pycache__"))


def test_a_space_installs_all_that_its_pages_offer(built):
    lines = (built / "requirements.txt").read_text("utf-8").splitlines()
    asked = {Requirement(line).name: Requirement(line) for line in lines if line and not line.startswith("#")}
    own = [Requirement(line) for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1] not in "#"]
    assert {one.name for one in own} <= asked.keys()
    assert {"datasets", "rasterio", "shapely"} <= asked.keys()  # formats that the Data page lists
    assert "spaces" in asked and asked["gradio"].extras == {"mcp", "oauth"}


def test_the_space_is_a_package_that_a_visitor_installs_at_home(built):
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE"} <= {path.name for path in built.iterdir()}


def test_a_pushed_space_shows_its_picture_by_its_whole_address(built, fields):
    front = yaml.safe_load(space.readme(fields, "ada/textseg").split("---\n", 2)[1])
    assert front["thumbnail"] == "https://huggingface.co/spaces/ada/textseg/resolve/main/thumbnail.png"
    assert (built / "thumbnail.png").stat().st_size > 10_000 and "thumbnail" not in fields


def test_building_again_replaces_the_earlier_build(tmp_path):
    space.build(tmp_path)
    (tmp_path / "textseg" / "gone.py").write_text("stale")
    space.build(tmp_path)
    assert not (tmp_path / "textseg" / "gone.py").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("five years of work")
    with pytest.raises(SpaceError, match="something else"):
        space.build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_pushing_needs_a_build(tmp_path):
    with pytest.raises(SpaceError, match="textseg space build"):
        space.push(tmp_path)


def test_pushing_without_a_token_says_how_to_get_one(built, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(SpaceError, match="hf auth login"):
        space.push(built)


def test_pushing_without_network_is_one_sentence(built, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_not_a_token")
    with pytest.raises(SpaceError, match="could not be pushed") as refused:
        space.push(built, "someone/textseg")
    assert "\n" not in str(refused.value)


def test_pushing_uploads_the_folder_as_one_commit_to_a_gradio_space(built, monkeypatch):
    calls = {}

    class Hub:
        def whoami(self):
            return {"name": "ada"}

        def create_repo(self, name, **options):
            calls["create"] = (name, options)

        def upload_folder(self, **options):
            calls["upload"] = options

    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_not_a_token")
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert "ada/textseg" in space.push(built)
    assert calls["create"] == ("ada/textseg", {"repo_type": "space", "space_sdk": "gradio", "exist_ok": True})
    assert calls["upload"]["repo_id"] == "ada/textseg" and calls["upload"]["folder_path"] == built
