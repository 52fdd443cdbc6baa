"""Names are found whoever asks first, are nobody else's, and may come from other packages."""

import sys
import threading

import pytest

from textseg.errors import NameTakenError, UnknownNameError
from textseg.registry import Facts, Registry


def test_a_thread_that_asks_while_another_imports_waits_for_all_names(tmp_path, monkeypatch):
    package = tmp_path / "slow_kinds"
    package.mkdir()
    (package / "__init__.py").write_text("")
    module = "import gate\n\ngate.entered.set()\ngate.go.wait(10)\ngate.registry.register('one')(1)"
    (package / "one.py").write_text(module)
    (tmp_path / "gate.py").write_text("import threading\n\nentered, go = threading.Event(), threading.Event()")
    monkeypatch.syspath_prepend(tmp_path)
    import gate

    gate.registry = registry = Registry("kind", "slow_kinds")
    first = threading.Thread(target=registry.get, args=("one",))
    first.start()
    assert gate.entered.wait(10)
    threading.Timer(0.05, gate.go.set).start()
    assert registry.get("one") == 1
    first.join()
    for name in ("gate", "slow_kinds", "slow_kinds.one"):
        sys.modules.pop(name, None)


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    """A registry whose package holds the kind `own`, and a folder on the path for other packages."""
    package = tmp_path / "kinds_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from textseg.registry import Registry\n\nregistry = Registry('kind', __name__)\n"
    )
    (package / "own.py").write_text("from kinds_of_tests import registry\n\nregistry.register('own')('of the house')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import kinds_of_tests

    yield kinds_of_tests.registry
    for name in [name for name in sys.modules if name.startswith(("kinds_of_tests", "stranger"))]:
        del sys.modules[name]


def install(folder, module, content, group="textseg.kinds_of_tests"):
    """As pip would leave it: a module, and beside it a distribution whose entry point names the module."""
    (folder / f"{module}.py").write_text(content)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{module} = {module}\n")


def test_a_name_that_is_taken_is_refused(kinds):
    assert kinds.get("own") == "of the house"
    with pytest.raises(NameTakenError, match="There is a kind 'own' already"):
        kinds.register("own")("another")
    assert kinds.get("own") == "of the house"


def test_an_entry_has_facts_beside_it(kinds):
    kinds.register("family", Facts(title="A family", example="family:small"))(1)
    assert kinds.facts("family").title == "A family" and kinds.facts("own") == Facts()
    with pytest.raises(UnknownNameError):
        kinds.facts("none such")


def test_an_installed_package_adds_names_and_is_imported_when_one_is_wanted(kinds, tmp_path):
    install(tmp_path, "stranger", "from kinds_of_tests import registry\n\nregistry.register('foreign')('from afar')\n")
    assert kinds.get("own") == "of the house" and "stranger" not in sys.modules
    assert kinds.get("foreign") == "from afar"
    assert kinds.names() == ["foreign", "own"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import package_that_nobody_has\n", "No module named 'package_that_nobody_has'"),
        (
            "from kinds_of_tests import registry\n\nregistry.register('own')('a thief')\n",
            "There is a kind 'own' already",
        ),
        ("def of(", "was never closed"),
    ],
)
def test_a_package_that_cannot_be_imported_is_one_warning(kinds, tmp_path, caplog, content, reason):
    install(tmp_path, "stranger_broken", content)
    assert kinds.names() == ["own"] == kinds.names()
    assert kinds.get("own") == "of the house"
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("The kind 'stranger_broken' of the package stranger_broken is left out: ") and reason in said
    assert "\n" not in said
