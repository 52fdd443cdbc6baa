"""Named implementations, one file each: a new one is a module with `@register("name")`; no other file changes."""

import importlib
import pkgutil
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from textseg.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """The named implementations of one kind of thing, found in the modules of one package.

    The package's modules are imported at the first look-up, so they must keep heavy imports inside functions.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self._package = kind, package
        self._entries: dict[str, T] = {}
        self._discovering = self._discovered = False
        self._lock = threading.RLock()

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: make the decorated class or function available under `name`."""

        def add(entry: T) -> T:
            self._entries[name] = entry
            return entry

        return add

    def names(self) -> list[str]:
        """The registered names, sorted."""
        self._discover()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The entry called `name`; raises UnknownNameError, which lists the known names."""
        self._discover()
        if name not in self._entries:
            raise UnknownNameError(f"There is no {self.kind} called '{name}'; choose one of {', '.join(self.names())}.")
        return self._entries[name]

    def _discover(self) -> None:
        if self._discovered:
            return
        with self._lock:  # another thread waits for all names; the one that imports may look some up meanwhile
            if self._discovering:
                return
            self._discovering = True
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
                importlib.import_module(f"{self._package}.{module.name}")
            self._discovered = True
