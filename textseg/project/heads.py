"""The heads that a project has learnt: rows, files, and which one is active.

A head is a file in `heads/` that is never written twice. Activating one, or none (the head that the program was started
with), is one transaction.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from textseg.errors import ProjectError
from textseg.files import write_atomically
from textseg.project.database import Database
from textseg.project.schema import Head, by_id, moment


@dataclass(frozen=True)
class HeadRef:
    """A head of the project: its number, and where its file lies."""

    id: int
    path: Path


class Heads:
    """The heads of one project. Safe to use from several threads and processes."""

    def __init__(self, database: Database, folder: Path) -> None:
        """`folder` is where the files of heads lie."""
        self._database, self.folder = database, folder

    def active(self) -> HeadRef | None:
        """The project's own head in use, None for the one that the program was started with."""
        with self._database.reading() as session:
            row = session.scalar(select(Head).where(Head.active))
            return None if row is None else HeadRef(row.id, self.folder / row.file)

    def all(self) -> list[dict[str, Any]]:
        """All heads, newest first: id, file, active, when, whether its file is there, and what it learnt from.

        `started_from` is the id of the head that was active before, None for the one the program was started with.
        """
        with self._database.reading() as session:
            rows = list(session.scalars(select(Head).order_by(Head.id.desc())))
        return [
            {
                "id": row.id,
                "file": row.file,
                "active": row.active,
                "created": moment(row.created),
                "there": (self.folder / row.file).is_file(),
                "fingerprint": row.fingerprint,
                "started_from": row.started_from,
                **row.facts,
            }
            for row in rows
        ]

    def path(self, head_id: int) -> Path:
        """The file of a head; raises ProjectError when there is no such head, or its file is gone."""
        with self._database.reading() as session:
            row = by_id(session, Head, head_id)
        if row is None:
            raise ProjectError(f"The project has no head {head_id}.")
        path = self.folder / row.file
        if not path.is_file():
            raise ProjectError(f"The file {path} of head {head_id} is gone; train again.")
        return path

    def activate(self, head_id: int | None) -> None:
        """Label with this head from now on; None goes back to the head that the program was started with."""
        if head_id is not None:
            self.path(head_id)
        with self._database.writing() as session:
            activate(session, head_id)

    def export(self, head_id: int, out: Path) -> Path:
        """Copy a head's file to `out` (a .safetensors file, or a folder)."""
        source = self.path(head_id)
        target = out / source.name if out.is_dir() else out
        if target.suffix != ".safetensors":
            raise ProjectError(f"A head is a .safetensors file, and '{target.name}' has another ending.")
        with source.open("rb") as file:
            write_atomically(target, lambda copy: shutil.copyfileobj(file, copy))
        return target

    def push(self, head_id: int, repository: str, private: bool = True) -> str:
        """Upload a head with its card to the Hub as a model; returns what to tell. Raises ProjectError."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        source = self.path(head_id)
        facts = next(head for head in self.all() if head["id"] == head_id)
        try:
            hub = HfApi()
            hub.create_repo(repository, repo_type="model", private=private, exist_ok=True)
            for name, content in (("head.safetensors", source), ("README.md", card(repository, facts).encode())):
                hub.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repository, repo_type="model")
        except (HfHubHTTPError, OSError, ValueError) as error:
            said = " ".join(str(error).split())[:160]
            raise ProjectError(
                f"Head {head_id} was not uploaded to {repository} ({said}); log in with: hf auth login"
            ) from None
        return f"Head {head_id} is uploaded to {repository}{' (private)' if private else ''}."


def activate(session: Session, head_id: int | None) -> None:
    """Make this head, or none, the one in use."""
    session.execute(update(Head).values(active=False))
    if head_id is not None:
        session.execute(update(Head).where(Head.id == head_id).values(active=True))


def card(repository: str, head: Mapping[str, Any]) -> str:
    """The model card of a head on the Hub: what it knows, how well, and how to use it."""
    data, scores = head["data"], head["scores"]
    classes = ", ".join(name for name, *_ in head["classes"])
    score = "No corrected photo is one that it has not seen, so nothing says how good it is."
    if scores["before"] and scores["after"]:
        which = f"{scores['after']['photos']} photos {scores.get('photos', 'held back')}"
        score = f"mIoU on {which}: {scores['after']['miou']:.1f} % ({scores['before']['miou']:.1f} % before)."
    return f"""---
library_name: textseg
pipeline_tag: image-segmentation
---

# {repository.rpartition("/")[2]}

A head of textseg, learnt from a person's corrections of {data["photos"]} photos. Its classes: {classes}. Other words
work as they did before. {score}

    hf download {repository} head.safetensors --local-dir .
    textseg serve --head head.safetensors
"""
