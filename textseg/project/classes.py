"""The classes of a project: ids for ever, names that may change, and tombstones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from textseg.errors import EditError, ProjectError, brief
from textseg.project.schema import Class, clean
from textseg.vocabulary import Word

GREY = "#808080"


class Classes:
    """The classes as one transaction sees them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = {row.id: row for row in session.scalars(select(Class).order_by(Class.id))}

    def rows(self, deleted: bool = False) -> list[Class]:
        """By id; with `deleted` the tombstones too."""
        return [row for row in self._rows.values() if deleted or not row.deleted]

    @cached_property
    def meaning(self) -> np.ndarray:
        """(last id + 1,) uint16, what each stored id reads as: itself, 0 if deleted, or what it was merged into."""
        table = np.zeros(max(self._rows, default=0) + 1, np.uint16)
        for class_id in self._rows:
            row, seen = self._rows[class_id], {class_id}
            while row.deleted and row.merged_into is not None and row.merged_into not in seen:
                seen.add(row.merged_into)
                row = self._rows[row.merged_into]
            table[class_id] = 0 if row.deleted else row.id
        return table

    @cached_property
    def colours(self) -> list[str]:
        """Of the classes 1, 2, ..., tombstones included; an id that no class has is grey."""
        known = {row.id: row.colour for row in self._rows.values()}
        return [known.get(k, GREY) for k in range(1, max(known, default=0) + 1)]

    def living(self, class_id: Any) -> Class:
        """The class of this id; raises EditError when there is none, or it was deleted."""
        row = self._known(class_id)
        if row.deleted:
            raise EditError(f"The class {class_id} ({row.name}) was deleted.")
        return row

    def deleted_class_warning(self, class_id: int) -> str | None:
        """What to say of a gesture in a deleted class, None if it lives; raises EditError if it never did."""
        row = self._known(class_id)
        if not row.deleted:
            return None
        if row.merged_into is not None:
            return f"The class '{row.name}' was merged into another one meanwhile; this was drawn as that."
        return f"The class '{row.name}' was deleted meanwhile; this is kept, and shows when the class is restored."

    def add(self, word: Word) -> int:
        """A new class; -> its id, which was never used before."""
        names, colour = _names(name=word.name, aliases=word.aliases), word.colour
        row = Class(**names, colour=colour, background=word.background)
        self._session.add(row)
        self._session.flush()
        return row.id

    def change(self, class_id: Any, **changes: Any) -> None:
        """Change name, aliases, colour or background."""
        unknown = changes.keys() - {"name", "aliases", "colour", "background"}
        if unknown:
            raise ProjectError(f"A class has no {', '.join(sorted(unknown))}.")
        row = self.living(class_id)
        for key, value in _names(**changes).items():
            setattr(row, key, value)

    def delete(self, class_id: Any, merge_into: Any = None) -> None:
        """Leave a tombstone, or one that points to another class."""
        row = self.living(class_id)
        if merge_into == class_id:
            raise ProjectError("A class cannot be merged into itself.")
        if merge_into is not None:
            self.living(merge_into)
        row.deleted, row.merged_into = True, merge_into

    def restore(self, class_id: Any) -> None:
        """Take a tombstone back."""
        row = self._rows.get(an_id(class_id, "class"))
        if row is None or not row.deleted:
            raise EditError(f"There is no deleted class {class_id} in the project.")
        row.deleted, row.merged_into = False, None

    def _known(self, class_id: Any) -> Class:
        row = self._rows.get(an_id(class_id, "class"))
        if row is None:
            raise EditError(f"There is no class {class_id} in the project.")
        return row


def _names(**fields: Any) -> dict[str, Any]:
    """The fields of a class with clean names."""
    if "name" in fields:
        fields["name"] = clean(fields["name"])
    if "aliases" in fields:
        fields["aliases"] = [clean(alias) for alias in fields["aliases"]]
    return fields


def an_id(value: Any, name: str) -> int:
    """`value` as a class id, 0 for none; raises EditError that calls it `name`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise EditError(f"'{name}' is a class id, not {brief(value)}.")
    return value
