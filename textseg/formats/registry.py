"""The formats by name, and what each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textseg.errors import UnknownNameError, brief
from textseg.formats.options import Option
from textseg.registry import Registry

if TYPE_CHECKING:
    from textseg.formats.exporting import Export
    from textseg.formats.incoming import Incoming
    from textseg.formats.source import Source


class Format:
    """One format, both ways."""

    title: str = ""
    """As people call it: "COCO"."""
    layout: str = ""
    """The files it consists of, in a few words."""
    loses: tuple[str, ...] = ()
    """What it cannot hold, each a noun phrase."""
    export_options: tuple[Option, ...] = ()
    """What may be chosen when it is written; `export.options` has the answers."""
    import_options: tuple[Option, ...] = ()
    """What may be chosen when it is read: `options.BACKGROUND`, or nothing."""
    writes: bool = True
    """Whether a project can be exported in it; the others are only read."""
    background: str | None = None
    """What its id 0 (or black) means at import unless the user says: a class of this name, or None: unlabelled."""

    def write(self, export: Export) -> None:
        """Write the photos and label maps of `export` into `export.folder`; raises FormatError."""
        raise NotImplementedError

    def recognise(self, source: Source) -> str | None:
        """The file or folder that shows that `source` is of this format, None where it is not; nothing is parsed."""
        return None

    def read(self, source: Source) -> Incoming:
        """What the files hold; raises DatasetError, with file, field and value."""
        raise NotImplementedError


_registry: Registry[type[Format]] = Registry("format", "textseg.formats")
register, readable = _registry.register, _registry.names


def names() -> list[str]:
    """The formats that a project can be exported in, sorted; `readable()` are these and those that are only read."""
    return [name for name in readable() if _registry.get(name).writes]


def get(name: str) -> Format:
    """The format called `name`; raises UnknownNameError, which lists the known names."""
    if name not in readable():
        alone = [one for one in readable() if one not in names()]
        raise UnknownNameError(
            f"There is no format called {brief(name)}; choose one of {', '.join(names())}, "
            f"or for an import also {', '.join(alone)}."
        )
    return _registry.get(name)()
