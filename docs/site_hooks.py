"""What the site needs beside docs/: pages that lie at the root of the repository, and links that lead there.

On GitHub `../CONTEXT.md` is a link; in the site that file is a page. A link to anything else outside docs/ becomes its
name in the repository, since the site knows of no host.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"CONTEXT.md": "words.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
"""Files at the root that are pages of the site."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    files.append(File.generated(config, "images/icon.png", abs_src_path=str(ROOT / "assets/web/icon.png")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    here = page.file.src_uri
    sources = {page: source for source, page in PAGES.items()}
    folder = "" if here in sources else posixpath.join("docs", posixpath.dirname(here))

    def moved(link: re.Match[str]) -> str:
        text, target, anchor = link[1], posixpath.normpath(posixpath.join(folder, link[2])), link[3] or ""
        inside = PAGES.get(target) or target.removeprefix("docs/")
        if target not in PAGES and not (target.startswith("docs/") and files.get_file_from_path(inside)):
            return text if text.strip("`") == target else f"{text} (`{target}`)"
        return f"[{text}]({posixpath.relpath(inside, posixpath.dirname(here) or '.')}{anchor})"

    return LINK.sub(moved, markdown)
