"""How far a training on corrections is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textseg.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """One step of the fit, or before it one photo."""

    doing: str
    done: float
    """Share of the whole work, 0..1."""
    step: int = 0
    steps: int = 0
    loss: float | None = None


def stop_if(cancel: Callable[[], bool] | None) -> None:
    if cancel is not None and cancel():
        raise Cancelled("Stopped; the head that was active stays active.")
