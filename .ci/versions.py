"""The versions that textseg is tested with: the newest in constraints.txt, the oldest in constraints-oldest.txt.

    python .ci/versions.py lock                 write both anew: from what is installed here, and from the lower bounds
    python .ci/versions.py test oldest|newest   an environment of its own with them, and every test but the browser's

`pip install -c constraints.txt` takes them; the lower bounds stand in requirements.txt and pyproject.toml.
"""

import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from tempfile import NamedTemporaryFile

ROOT = Path(__file__).parents[1]
FILES = {"newest": ROOT / "constraints.txt", "oldest": ROOT / "constraints-oldest.txt"}
EXTRAS = {"newest": ("train", "formats", "dev"), "oldest": ("train", "formats", "mcp", "postgres")}
"""The tools of development are taken as they are today in both; what they want of the program's own is named here."""


def uv(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "uv", *map(str, arguments)], check=True, cwd=ROOT)


def lock() -> None:
    installed = (f"{one.name}=={one.version}\n" for one in distributions() if one.name != "textseg")
    for which, file in FILES.items():
        extras = [part for extra in EXTRAS[which] for part in ("--extra", extra)]
        given = ["pip", "compile", "pyproject.toml", *extras, "--python-version", "3.11"]
        with NamedTemporaryFile("w", suffix=".txt") as here:
            here.writelines(installed)
            here.flush()
            how = ["--resolution", "lowest-direct"] if which == "oldest" else ["--constraint", here.name]
            uv(*given, *how, "--upgrade", "--no-annotate", "--no-header", "--quiet", "--output-file", file)
        said = f"# The {which} versions that textseg is tested with (python .ci/versions.py lock).\n"
        file.write_text(said + file.read_text("utf-8"), "utf-8")


def test(which: str, *arguments: str) -> int:
    home = ROOT / f".venv-{which}"
    python = home / "bin" / "python"
    if not python.exists():
        uv("venv", "--quiet", home)
    uv("pip", "install", "--quiet", "--python", python, "-c", FILES[which], "-e", ".[train,formats,dev]")
    chosen = arguments or ("tests/unit", "tests/contract")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, "-m", "pytest", "-q", *chosen], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["lock"]:
            lock()
        case ["test", ("oldest" | "newest") as which, *rest]:
            sys.exit(test(which, *rest))
        case _:
            sys.exit(__doc__)
