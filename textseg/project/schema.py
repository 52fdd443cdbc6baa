"""The tables of a project. Changes to them need a migration (see migrations/)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar
from unicodedata import category

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from textseg.vocabulary import composed

STATES = ("new", "pseudo-labelled", "in work", "done", "skipped")


class Base(DeclarativeBase):
    # Named constraints, so that migrations can alter them on SQLite.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


Row = TypeVar("Row", bound=Base)


def clean(name: str) -> str:
    """`name` as it is stored: accents composed, halves of characters and control characters replaced."""
    return "".join("\N{REPLACEMENT CHARACTER}" if category(c) in ("Cs", "Cc") else c for c in composed(name))


class Name(TypeDecorator[str]):
    """The name of a photo or class; what is stored and what is looked for are cleaned alike."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


Pixels = BigInteger().with_variant(Integer, "sqlite")
"""A number of pixels, which may be more than 32 bits hold; SQLite's own integers have 64."""


class Text(TypeDecorator[str]):
    """Any text of a person; halves of characters become question marks, and no character is a zero."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.encode("utf-8", "replace").decode().replace("\0", "?")


def by_id(session: Session, table: type[Row], number: int) -> Row | None:
    """The row of this id; None where there is none, also for a number that no id can be."""
    return session.get(table, number) if abs(number) < 2**31 else None


def now() -> datetime:
    return datetime.now(UTC)


def naive(time: datetime) -> datetime:
    """The tables keep no time zone: all times are UTC."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def moment(time: datetime) -> str:
    """A time as text."""
    return naive(time).isoformat(timespec="seconds") + "Z"


class StoredPhoto(Base):
    """One photo, taken in once; the original lies in photos/<sha256><suffix>."""

    __tablename__ = "photo"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(Name)
    suffix: Mapped[str]
    width: Mapped[int]
    """Pixels after EXIF orientation, as in all coordinates."""
    height: Mapped[int]
    state: Mapped[str] = mapped_column(default="new")
    note: Mapped[str] = mapped_column(Text, default="")
    added: Mapped[datetime] = mapped_column(default=now)
    revision: Mapped[int] = mapped_column(default=0)
    assignee: Mapped[str | None]
    """Who is to label it, in a team."""
    review: Mapped[str | None]
    """What a reviewer said of it: "reviewed" or "returned"."""
    undo_top: Mapped[int | None]
    """The edit that the next undo takes back."""
    redo_top: Mapped[int | None]
    """The undo that the next redo takes back."""


class StoredFilm(Base):
    """A sequence of photos: the frames of a video, or of a folder that numbers them."""

    __tablename__ = "film"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Name)
    source: Mapped[str] = mapped_column(unique=True)
    """Tells the film from others, so that more frames of it come to those that are here."""
    timed: Mapped[bool]
    """Whether `Frame.at` is seconds; else a number that the frame's file had."""
    added: Mapped[datetime] = mapped_column(default=now)


class Frame(Base):
    """A photo's place in a film; the order of frames is that of `at`, then of their photos."""

    __tablename__ = "frame"
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True)
    film_id: Mapped[int] = mapped_column(ForeignKey("film.id"), primary_key=True, index=True)
    at: Mapped[float] = mapped_column(Float(53))
    sure: Mapped[float | None] = mapped_column(Float(53))
    """How sure the labels are that were carried here, 0..1 over the whole photo, the same in each film that has it;
    none: nothing was carried."""


class Class(Base):
    """A class has its id for ever; name, colour and the rest may change, and a deleted one stays as a tombstone."""

    __tablename__ = "class"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Name)
    aliases: Mapped[list[str]] = mapped_column(JSON, default=list)
    colour: Mapped[str]
    background: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("class.id"))
    """Where the pixels of a deleted class went; none: they are unlabelled."""


class Provenance(Base):
    """Where pixels come from: a person, or a model with its head and its confidence in one region."""

    __tablename__ = "source"
    id: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[int | None] = mapped_column(ForeignKey("photo.id"), index=True)
    kind: Mapped[str]
    """"person" (drawn, or drawn over), "accepted" (a model's, taken over by a person) or "model"."""
    class_id: Mapped[int | None] = mapped_column(ForeignKey("class.id"))
    head: Mapped[str | None] = mapped_column(index=True)
    confidence: Mapped[float | None]
    pixels: Mapped[int] = mapped_column(Pixels, default=0, server_default="0")
    """How many it has now; changed with the label map."""
    created: Mapped[datetime] = mapped_column(default=now)


class Tile(Base):
    """A square of one label map: class ids and source ids, each zlib-compressed. A missing tile is unlabelled."""

    __tablename__ = "tile"
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    column: Mapped[int] = mapped_column(primary_key=True)
    ids: Mapped[bytes] = mapped_column(LargeBinary)
    sources: Mapped[bytes] = mapped_column(LargeBinary)


class PixelCount(Base):
    """How many pixels of a photo have a class by one kind of author; changed with the label map, never 0."""

    __tablename__ = "pixel_count"
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True)
    class_id: Mapped[int] = mapped_column(primary_key=True)
    """As the tiles have it, also of a class that was deleted since; 0: erased by a person."""
    kind: Mapped[str] = mapped_column(primary_key=True)
    """As in `Provenance`."""
    pixels: Mapped[int] = mapped_column(Pixels)


class Edit(Base):
    """One gesture. Rows are only ever added; undo and redo are rows too.

    Undo and redo stacks are linked lists through the rows: an edit remembers the undo top before it (`undo_parent`), an
    undo the redo top before it (`redo_parent`), and `target` is the edit that an undo or redo is about.
    """

    __tablename__ = "edit"
    id: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"))
    revision: Mapped[int]
    kind: Mapped[str]
    operation: Mapped[dict] = mapped_column(JSON)
    x0: Mapped[int]
    y0: Mapped[int]
    x1: Mapped[int]
    y1: Mapped[int]
    changed: Mapped[int] = mapped_column(Pixels)
    before: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Ids and sources in the box before and after; empty once the log outgrew its bytes (oldest first)."""
    after: Mapped[bytes | None] = mapped_column(LargeBinary)
    undo_parent: Mapped[int | None]
    redo_parent: Mapped[int | None]
    target: Mapped[int | None]
    author: Mapped[str | None]
    """Whose gesture it was, where people sign in."""
    created: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (Index("ix_edit_photo_revision", "photo_id", "revision", unique=True),)


class Presence(Base):
    """Who is on which photo, until when by the database's clock."""

    __tablename__ = "presence"
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True)
    who: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]


class Review(Base):
    """What somebody said of a photo as a whole. Rows are only ever added."""

    __tablename__ = "review"
    id: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), index=True)
    who: Mapped[str]
    what: Mapped[str]
    """Such as "assigned", "labelled", "reviewed", "returned"."""
    whom: Mapped[str | None]
    note: Mapped[str] = mapped_column(Text, default="")
    revision: Mapped[int]
    """Of the label map that it was said of."""
    created: Mapped[datetime] = mapped_column(default=now)


class Opinion(Base):
    """A photo's label map as one person called it done."""

    __tablename__ = "opinion"
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True)
    who: Mapped[str] = mapped_column(primary_key=True)
    ids: Mapped[bytes] = mapped_column(LargeBinary)
    """(H, W) little-endian uint16 class ids as they are stored, zlib-compressed."""
    revision: Mapped[int]
    created: Mapped[datetime] = mapped_column(default=now)


class Head(Base):
    """One trained head, kept for ever as heads/<file>; at most one is active."""

    __tablename__ = "head"
    id: Mapped[int] = mapped_column(primary_key=True)
    file: Mapped[str]
    """Name inside the project's heads/ folder."""
    fingerprint: Mapped[str]
    """Identifies the corrections it learnt from."""
    facts: Mapped[dict] = mapped_column(JSON)
    """What it learnt from, and its scores: before (the head that was active) and after, on held-back photos."""
    started_from: Mapped[int | None]
    """The head that was active when its training began; none: the one that the program was started with."""
    active: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=now)


class Training(Base):
    """One training: its state, how far it is, and what came of it."""

    __tablename__ = "training"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="running")
    """"running", "done", "failed", "cancelled" or "killed"."""
    options: Mapped[dict] = mapped_column(JSON, default=dict)
    doing: Mapped[str] = mapped_column(default="Starting")
    """What it does now, for a person."""
    done: Mapped[float] = mapped_column(default=0.0)
    """Share of the work, 0..1."""
    curve: Mapped[list[list[float]]] = mapped_column(JSON, default=list)
    """[step, loss], thinned out as it grows."""
    log: Mapped[list[str]] = mapped_column(JSON, default=list)
    problem: Mapped[str | None]
    """Why it did not end well, in one sentence."""
    cancel: Mapped[bool] = mapped_column(default=False)
    """A person wants it to stop."""
    process: Mapped[int | None]
    beat: Mapped[datetime] = mapped_column(default=now)
    """When it last said anything."""
    began: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]
    head_id: Mapped[int | None] = mapped_column(ForeignKey("head.id"))
