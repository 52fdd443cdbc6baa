"""How sure the labels carried to a frame are, the same in each film that has it: it goes and comes with their step."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from textseg.project.schema import Frame


def known(session: Session, photo_id: int) -> float | None:
    """How sure they are; None where none were carried, or the photo is no frame."""
    return session.scalar(select(Frame.sure).where(Frame.photo_id == photo_id).limit(1))


def put(session: Session, photo_id: int, sure: float | None) -> None:
    """Say how sure they are now."""
    session.execute(update(Frame).where(Frame.photo_id == photo_id).values(sure=sure))
