"""The rules of docs/adr/002-who-may-know-whom.md, and what they buy: quick imports."""

import ast
import re
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
    "package",
    [
        "textseg/formats", "textseg/model/backbones", "textseg/model/readouts", "textseg/proposals", "textseg/refine",
        "trainer/suggest",
    ],
)  # fmt: skip
def test_files_of_one_kind_do_not_import_each_other(package):
    """docs/adr/003-registries.md: what two of them share is a module that registers nothing."""
    sources = {path.stem: path.read_text("utf-8") for path in (ROOT / package).glob("*.py") if path.stem != "__init__"}
    kinds = {name for name, source in sources.items() if re.search(r"^@?register\(", source, re.MULTILINE)}
    assert kinds
    prefix = package.replace("/", ".")
    for name in kinds:
        for node in ast.walk(ast.parse(sources[name])):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                imported = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                assert not imported & {f"{prefix}.{kind}" for kind in kinds - {name}}, f"{prefix}.{name}"


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


def imports(path: Path) -> set[str]:
    """Modules that a file imports, of `from package import module` the module itself as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


@pytest.mark.parametrize(
    "package",
    [
        "trainer/objectives",
        "trainer/suggest",
        "textseg/model/heads",
        "textseg/model/backbones",
        "textseg/model/readouts",
    ],
)
def test_what_is_registered_stands_alone(package):
    """docs/adr/003-registries.md: files of one kind do not import each other; what they share registers nothing."""
    files = [path for path in (ROOT / package).glob("*.py") if "@register(" in path.read_text(encoding="utf-8")]
    registered = {f"{package.replace('/', '.')}.{path.stem}": path for path in files}
    assert registered
    for name, path in registered.items():
        assert not imports(path) & (registered.keys() - {name}), name


NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}
"""Public, for all their underscores."""

WITHOUT_ANOTHER_WAY = {"_reset_state", "_exit"}
"""Accelerate keeps the precision of the first training in a process, and forgets it by the first alone; a thread ends
its process by the second."""


def private(name: str) -> bool:
    return (
        name.startswith("_")
        and not name.endswith("__")
        and name != "_"
        and name not in NAMED_TUPLES | WITHOUT_ANOTHER_WAY
    )


def own(tree: ast.Module) -> set[str]:
    """What a module calls so itself: its functions, classes, variables, and the attributes it sets."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def trespasses(tree: ast.Module) -> list[str]:
    """Where a module uses what another one keeps to itself."""
    mine, found = own(tree), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("textseg", "trainer"):
            found += [f"line {node.lineno}: {one.name}" for one in node.names if private(one.name)]
        elif isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in mine:
            own_object = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            found += [] if own_object else [f"line {node.lineno}: {node.attr}"]
    return found


@pytest.mark.parametrize("package", ["textseg", "trainer"])
def test_no_module_uses_what_another_keeps_to_itself(package):
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        found |= {f"{path.relative_to(ROOT)}, {one}": 0 for one in trespasses(ast.parse(path.read_text("utf-8")))}
    assert not found, "make it public where it belongs: " + "; ".join(found)


def test_a_private_door_between_modules_is_found():
    code = "from textseg.project import _x\nclass A:\n  def f(self, b): self._own = b._other; return self._ok, b._own"
    assert trespasses(ast.parse(code)) == ["line 1: _x", "line 3: _other"]
