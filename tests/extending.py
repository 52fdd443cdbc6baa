"""The examples of docs/extending.md, and a copy of the tree to put them into."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text("utf-8")

FILES: dict[str, str] = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
"""The page's files by their paths."""

COMMANDS: list[str] = re.findall(r"^    textseg (.+)$", PAGE, re.MULTILINE)
"""What the page says to run, behind `textseg`."""


def written(name: str, folder: Path) -> Path:
    """The page's file `name`, written below `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FILES[name], "utf-8")
    return path


def copied(folder: Path) -> Path:
    """A copy of the program in `folder`; of the assets the pages are copied, the rest is shared."""
    for package in ("textseg", "trainer"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "assets").mkdir()
    for asset in (ROOT / "assets").iterdir():
        if asset.name == "web":
            shutil.copytree(asset, folder / "assets/web")
        else:
            (folder / "assets" / asset.name).symlink_to(asset)
    return folder
