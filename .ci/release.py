"""A release: its number in one place, wheel and sdist built, and both looked at as an index and a stranger would.

python .ci/release.py cut 0.2.0     the number and today's date into the program, CHANGELOG and CITATION
python .ci/release.py check         builds dist/, has twine check it, installs the wheel elsewhere and asks it
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAM, CHANGELOG, CITATION = (ROOT / name for name in ("textseg/__init__.py", "CHANGELOG.md", "CITATION.cff"))
TRAVELS = ("LICENSE", "NOTICE", "CHANGELOG.md", "CITATION.cff", "README.md", "requirements.txt", "constraints.txt")
"""What an sdist must hold beside the code."""


def version() -> str:
    found = re.search(r'^__version__ = "(.+)"$', PROGRAM.read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


def cut(number: str) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+", number):
        sys.exit(f"'{number}' is no version; write MAJOR.MINOR.PATCH.")
    if f"## [{number}]" in CHANGELOG.read_text("utf-8"):
        sys.exit(f"CHANGELOG.md has {number} already; take the next number.")
    today = datetime.date.today().isoformat()
    replace(PROGRAM, r'^__version__ = ".+"$', f'__version__ = "{number}"')
    replace(CHANGELOG, r"^## \[Unreleased\]$", f"## [Unreleased]\n\n## [{number}] - {today}")
    replace(CITATION, r"^version: .+$", f"version: {number}")
    replace(CITATION, r"^date-released: .+$", f'date-released: "{today}"')
    print(f"{number} is cut; look at the changes, commit and tag them: git tag v{number}")


def replace(file: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, lambda _: by, file.read_text("utf-8"), count=1, flags=re.MULTILINE)
    if not count:
        sys.exit(f"{file.name} has no line like {pattern}.")
    file.write_text(text, "utf-8")


def check() -> None:
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", dist, ROOT)
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    number = version()
    assert wheel.name.startswith(f"textseg-{number}-"), wheel.name
    assert f"version: {number}" in CITATION.read_text("utf-8"), "CITATION.cff has another version"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for needed in ("licenses/LICENSE", "licenses/NOTICE"):
        assert any(name.endswith(needed) for name in names), f"the wheel lacks {needed}"
    assert {name.split("/")[0] for name in names} == {"textseg", "trainer", f"textseg-{number}.dist-info"}
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held.issuperset(TRAVELS), f"the sdist lacks {sorted(set(TRAVELS) - held)}"
    with TemporaryDirectory() as elsewhere:
        home = Path(elsewhere, "venv")
        venv.create(home, with_pip=True)
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        run(home / "bin/pip", "install", "--quiet", "--no-deps", wheel, env=alone)
        asked = [home / "bin/textseg", "--version"]
        told = subprocess.run(asked, capture_output=True, text=True, cwd=elsewhere, env=alone)
        assert told.stdout.strip() == f"textseg {number}", told
    for file in (wheel, sdist):
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")


def run(*command: object, **how: Any) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, **how)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["cut", number]:
            cut(number)
        case ["check"]:
            check()
        case _:
            sys.exit(__doc__)
