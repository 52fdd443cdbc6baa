"""Named implementations, one file each: a new one is a module with `@register("name")`; no other file changes.

Another installed package adds to a registry by an entry point that names such a module, in the group
`textseg.<last part of the registry's package>`:

    [project.entry-points."textseg.backbones"]
    mine = "my_package.my_backbone"
"""

import importlib
import logging
import pkgutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Generic, TypeVar

from textseg.errors import NameTakenError, UnknownNameError, brief

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """What is told about an entry before it is loaded; all of it may be left out."""

    title: str = ""
    """As people call it; its name where there is none."""
    about: str = ""
    """What it is, in one sentence."""
    example: str = ""
    """A full name that loads, where an entry stands for a family: `clip:ViT-B-16/openai`."""
    licence: str = ""
    """Of the example's weights: an SPDX name where there is one."""
    size: str = ""
    """Of the example's weights, with its unit."""
    needs: str = ""
    """What it takes beside an installed textseg, as a noun phrase."""
    packages: tuple[str, ...] = ()
    """Modules that must be importable."""
    order: int = 0
    """Where it stands among the others of its kind that are shown in a row."""
    weights: tuple[str, tuple[str, ...]] | None = None
    """(repository on the hub, file names, any of which will do) of the example's weights; None: none to fetch."""


class Registry(Generic[T]):
    """The named implementations of one kind of thing: those in the modules of one package, and those of other packages.

    The package's modules are imported at the first look-up, so they must keep heavy imports inside functions. Other
    packages are imported when a name is not among these, or when all names are asked for; one that cannot be imported
    is one sentence of warning.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self._package = kind, package
        self.group = f"textseg.{package.rpartition('.')[2]}"
        """The group of entry points in which other packages add to this registry."""
        self._entries: dict[str, T] = {}
        self._facts: dict[str, Facts] = {}
        self._found = _Once(self._import_own)
        self._others_found = _Once(self._import_others)

    def register(self, name: str, facts: Facts | None = None) -> Callable[[T], T]:
        """Decorator: make the decorated class or function available under `name`; raises NameTakenError."""

        def add(entry: T) -> T:
            if name in self._entries:
                where = getattr(self._entries[name], "__module__", "another module")
                raise NameTakenError(f"There is a {self.kind} '{name}' already, in {where}; choose another name.")
            self._entries[name], self._facts[name] = entry, facts or Facts()
            return entry

        return add

    def names(self) -> list[str]:
        """The registered names, sorted."""
        self._found()
        self._others_found()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The entry called `name`; raises UnknownNameError, which lists the known names."""
        self._found()
        if name not in self._entries:
            self._others_found()
        if name not in self._entries:
            raise UnknownNameError(
                f"There is no {self.kind} called {brief(name)}; choose one of {', '.join(self.names())}."
            )
        return self._entries[name]

    def facts(self, name: str) -> Facts:
        """What is told about the entry called `name`; raises UnknownNameError."""
        self.get(name)
        return self._facts[name]

    def _import_own(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
            importlib.import_module(f"{self._package}.{module.name}")

    def _import_others(self) -> None:
        for point in metadata.entry_points(group=self.group):
            try:
                point.load()
            except Exception as error:  # a stranger's module may fail in any way
                of = point.dist.name if point.dist is not None else point.value
                reason = " ".join(str(error).split()) or type(error).__name__
                _log.warning("The %s '%s' of the package %s is left out: %s", self.kind, point.name, of, reason)


class _Once:
    """Calls a function once. Another thread waits until it is done; the thread that is at it goes on meanwhile."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function, self._begun, self._done = function, False, False
        self._lock = threading.RLock()

    def __call__(self) -> None:
        if self._done:
            return
        with self._lock:
            if self._begun:
                return
            self._begun = True
            try:
                self._function()
                self._done = True
            finally:
                self._begun = self._done
