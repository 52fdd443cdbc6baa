"""The project in hand where every visitor has one of their own: found by the key that comes with each message."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textseg.errors import ProjectError, TextsegError
from textseg.project import Project
from textseg.vocabulary import Vocabulary
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc.page import VISITOR, OtherProjectError
from textseg.web.visitors.shared import SHARED, SharedProject
from textseg.web.visitors.store import Visitors


class VisitorApi(ProjectApi):
    """As `ProjectApi`; what is done is done to the asking visitor's project, or to the one that the owner shares.

    Pages say in each message whose it is (`textseg.web.rpc.page.VISITOR`): a visitor's key, or SHARED. Callers of the
    named endpoints give the key where a project's name is asked for.
    """

    nothing_open = "You have no project here; begin one on the Label page."
    visits = True

    def __init__(self, visitors: Visitors, engine: Engine, shared: SharedProject | None = None) -> None:
        super().__init__(None, engine)
        self.visitors, self.shared = visitors, shared

    @property
    def life(self) -> str:
        """How long a project stays, in words."""
        minutes = round(self.visitors.limits.life / 60)
        return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"

    @property
    def most_staged(self) -> int:
        return self.visitors.limits.upload_bytes

    @property
    def staged_for(self) -> float:  # a visitor has one upload at a time; in the shared project others have theirs
        return super().staged_for if VISITOR.get() == SHARED else 0.0

    def in_hand(self) -> Project | None:
        if VISITOR.get() == SHARED:
            return self.shared.open() if self.shared is not None and self.shared.may_see else None
        visit = self.visitors.visit(VISITOR.get())
        return None if visit is None else visit.project

    @contextlib.contextmanager
    def meant(self, key: str) -> Iterator[None]:
        if VISITOR.get() != SHARED and self.in_hand() is None:
            raise OtherProjectError(
                f"Your project is not here any more: it is deleted {self.life} after it was last worked on."
            )
        with super().meant(key):
            self.visitors.use(VISITOR.get())
            yield

    @contextlib.contextmanager
    def called(self, project: str) -> Iterator[str]:
        shared = self.shared is not None and project == self.shared.name
        before = VISITOR.set(SHARED if shared else project)
        try:
            found = self.in_hand()
            if found is None:
                raise ProjectError(
                    "There is no project with that key here, or none any more; 'Your project' in the page's header "
                    "has the key of yours."
                )
            self.visitors.use(project)
            yield found.name
        finally:
            VISITOR.reset(before)

    def begin(self, words: str, photos: list[Path]) -> str:
        """Make a project for whoever asks, with these classes and photos; -> the key that opens it."""
        vocabulary = Vocabulary.parse(words)
        key = VISITOR.get()
        if not self.visitors.knows(key):
            key = self.visitors.issue()
        project = self.visitors.make(key, vocabulary)
        try:
            project.add(photos)
        except TextsegError:
            self.visitors.delete(key)
            raise
        return key

    def train(self, project: str, options: Any = None) -> dict[str, Any]:
        if VISITOR.get() == SHARED or (isinstance(options, dict) and options.get("training") is not None):
            return super().train(project, options)
        with self.visitors.training(VISITOR.get()):
            return super().train(project, options)
