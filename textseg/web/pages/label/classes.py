"""Classes on the Label page: added, renamed, merged, taken back."""

import re
from typing import Any

from textseg.errors import EditError
from textseg.labelmap import rgb
from textseg.model import known
from textseg.project.schema import Class
from textseg.vocabulary import Vocabulary, Word, colour_cycle, fold
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc.messages import Message


class ClassFunctions:
    """Server functions about the classes of the project in hand; each answers all of them."""

    api: ProjectApi
    _engine: Engine

    def add_class(self, message: Any) -> dict[str, Any]:
        """`{"name": "cat; kitten"}` -> the classes and the new id."""
        word = self._word(Message(message).text("name"))
        taken = {c.colour for c in self.api.project.classes(deleted=True)}
        colour = next(colour for colour in colour_cycle(len(taken) + 1) if colour not in taken)
        new = self.api.project.add_class(Word(word.name, word.aliases, colour))
        return self.classes() | {"id": new}

    def change_class(self, message: Any) -> dict[str, Any]:
        """`{"id", "name"?, "colour"?}`; a name may carry aliases after `;`."""
        asked = Message(message)
        class_id = asked.whole("id")
        changes: dict[str, Any] = {}
        if asked.has("name"):
            word = self._word(asked.text("name"), but=class_id)
            changes |= {"name": word.name, "aliases": list(word.aliases)}
        if asked.has("colour"):
            changes["colour"] = asked.text("colour")
            if not re.fullmatch("#[0-9a-f]{6}", changes["colour"]):
                raise EditError("A colour is written as #rrggbb.")
        self.api.project.change_class(class_id, **changes)
        return self.classes()

    def delete_class(self, message: Any) -> dict[str, Any]:
        """`{"id", "into": id or null}`: its pixels become unlabelled, or go to another class."""
        asked = Message(message)
        self.api.project.delete_class(asked.whole("id"), asked.whole("into") if asked.has("into") else None)
        return self.classes()

    def restore_class(self, message: Any) -> dict[str, Any]:
        """`{"id"}`: take back that a class was deleted or merged."""
        self.api.project.restore_class(Message(message).whole("id"))
        return self.classes()

    def unknown(self, message: Any) -> dict[str, Any]:
        """`{}` -> `words`: the names and aliases of classes that the model does not know. Waits until it is loaded.

        A proposer that knows words is asked in its place, and of its words nothing is known.
        """
        if self._engine.names_words:
            return {"words": []}
        vocabulary = Vocabulary(tuple(Word(row.name, tuple(row.aliases)) for row in self.api.project.classes()))
        return {"words": known.unknown(self.api.model(), vocabulary)}

    def classes(self) -> dict[str, Any]:
        """The classes, and those that were deleted."""
        rows = self.api.project.classes(deleted=True)
        return {
            "classes": [_class(row) for row in rows if not row.deleted],
            "deleted": [{"id": row.id, "name": row.name} for row in rows if row.deleted],
        }

    def _word(self, text: str, but: int | None = None) -> Word:
        words = Vocabulary.parse(text)
        if len(words) != 1:
            raise EditError("Give one name; other names of the same class follow after a semicolon.")
        for row in self.api.project.classes():
            if row.id != but and fold(row.name) == fold(words[0].name):
                raise EditError(f"There is a class '{row.name}' already.")
        return words[0]


def _class(row: Class) -> dict[str, Any]:
    rgb(row.colour)  # what the page paints with must be a colour
    return {
        "id": row.id,
        "name": row.name,
        "aliases": row.aliases,
        "colour": row.colour,
        "background": row.background,
    }
