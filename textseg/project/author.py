"""Who is at work: named where a person has signed in, so that every step says whose it is; nobody otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_author: ContextVar[str | None] = ContextVar("author", default=None)


@contextmanager
def author(name: str | None) -> Iterator[None]:
    """What is done inside, and in jobs begun inside, is done by `name`."""
    before = _author.set(name)
    try:
        yield
    finally:
        _author.reset(before)


def at_work() -> str | None:
    """Whose work it is; None where nobody signs in."""
    return _author.get()
