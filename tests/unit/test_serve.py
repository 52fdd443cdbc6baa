"""What is refused before anything is served."""

import pytest

from tests.label_maps import make_project
from textseg import web
from textseg.errors import UsageError


@pytest.mark.parametrize(
    "where", [{"host": "0.0.0.0"}, {"host": "192.168.1.7"}, {"allow_hosts": ["label.example.org"]}]
)
def test_a_project_is_shared_only_on_purpose(tmp_path, where, monkeypatch):
    make_project(tmp_path / "p", ["cat"], {}).close()
    monkeypatch.setattr("textseg.web.app.build", lambda *_: pytest.fail("it was served"))
    with pytest.raises(UsageError, match="--share-project"):
        web.serve(project=tmp_path / "p", **where)


def test_a_project_in_a_space_is_shared_only_on_purpose(tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/textseg")
    with pytest.raises(UsageError, match="--share-project"):
        web.serve(project=tmp_path / "p")
