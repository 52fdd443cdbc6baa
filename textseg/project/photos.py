"""The photos of a project: taken in one by one, and found again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, cast, func, or_, select
from sqlalchemy.orm import Session

from textseg import images, pages, pyramids
from textseg.errors import PhotoError, ProjectError
from textseg.folders import Found, gather
from textseg.project import linked
from textseg.project.allowance import Allowance
from textseg.project.database import Database
from textseg.project.originals import arriving, path_of
from textseg.project.schema import STATES, StoredPhoto, clean
from textseg.pyramids import Pyramid


@dataclass
class AddReport:
    """What became of photos given to a project."""

    ids: list[int] = field(default_factory=list)
    """The stored ids of the photos given, new or there already, in their order; failed ones have none."""
    added: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """(file given, name of the equal photo that is there already)."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(file given, reason)."""
    others: Counter[str] = field(default_factory=Counter)
    """Files of the folders given that are no photos, by their ending."""
    notes: list[str] = field(default_factory=list)
    """What else is to be told: pages that are photos of their own, animations of which one picture was taken."""
    cancelled: bool = False
    """Whether a person stopped it; what is in the report is in the project."""


class QueueEntry(NamedTuple):
    """One photo of a list."""

    id: int
    name: str
    state: str
    revision: int


def add(
    database: Database,
    folder: Path,
    paths: Iterable[str | Path | Found],
    progress: Callable[[int, int], None] | None,
    cancel: Callable[[], bool] | None,
    flat: bool = False,
    allowance: Allowance | None = None,
) -> AddReport:
    """Take in photos, each in a transaction of its own; see `Project.add`."""
    gathered = gather(paths, flat)
    report, found, taken = AddReport(others=gathered.others), gathered.photos, Counter[Path]()
    for done, one in enumerate(found):
        if cancel is not None and cancel():
            report.cancelled = True
            return report
        if progress is not None:
            progress(done, len(found))
        try:
            _add(database, folder, one, report, allowance)
            taken[one.path] += 1
        except OSError as error:
            raise ProjectError(
                f"{one.path.name} could not be copied into {folder} ({error.strerror}); what was there is kept."
            ) from None
        except PhotoError as error:
            report.failed.append((str(one), str(error)))
    if progress is not None:
        progress(len(found), len(found))
    for path, many in Counter(one.path for one in found if one.page is not None).items():
        report.notes.append(f"{path.name}: {taken[path]} of {many} pages taken, each as a photo.")
    return report


def _add(database: Database, folder: Path, found: Found, report: AddReport, allowance: Allowance | None) -> None:
    content, suffix = None, PurePosixPath(found.name).suffix.lower()
    if pyramids.is_large(found.path):
        before = linked.stamp_of(found.path)
        sha256, (width, height) = _looked_through(found)
    else:
        content, (width, height) = found.read()
        if suffix in pyramids.SUFFIXES:  # by which a project knows what is read by windows
            raise PhotoError(f"{found.name} is no {suffix} file, whatever its name says; rename it.")
        sha256 = hashlib.sha256(content).hexdigest()
    with arriving(database, folder, allowance) as (session, arrivals):
        known = with_hash(session, sha256)
        if known is None:
            new = StoredPhoto(sha256=sha256, name=clean(found.name), suffix=suffix, width=width, height=height)
            if content is None and not is_large(new):
                new.suffix = ".jp2"  # JPEG 2000 under another ending
            if content is None:
                _check_unchanged(session, folder, found)
                arrivals.link(new, found.path)
                if linked.stamp_of(found.path) != before:
                    raise PhotoError(f"{found.name} was changed while it was added; add it again.")
            else:
                arrivals.put(new, content)
            session.add(new)
    if known is None:
        if content is None:
            linked.remember(folder, new, linked.stamp_of_kept(path_of(folder, new), found.path, before))
            _levels(folder, new)
        report.added.append(new.name)
        report.ids.append(new.id)
        if content is not None and found.page is None and (pictures := pages.count(content)[0]) > 1:
            report.notes.append(f"{found.name}: the first of its {pictures:,} pictures was taken.")
    else:
        report.duplicates.append((str(found), known.name))
        report.ids.append(known.id)


def _check_unchanged(session: Session, folder: Path, found: Found) -> None:
    """Raise PhotoError for a huge photo whose file is that of one that is there already, and was changed meanwhile."""
    pixels = cast(StoredPhoto.width, BigInteger) * StoredPhoto.height
    large = or_(pixels > images.MAX_PIXELS, StoredPhoto.suffix.in_(pyramids.SUFFIXES))
    for row in session.scalars(select(StoredPhoto).where(large)):
        if linked.same(path_of(folder, row), found.path):
            raise PhotoError(
                f"{row.name} was changed since it was added: textseg project check --take takes it as it is now with "
                "its labels; to add it as a photo of its own, copy it first."
            )


def _levels(folder: Path, photo: StoredPhoto) -> None:
    """Make the smaller levels of a huge photo now, where whoever adds it waits, and not whoever looks at it first."""
    with suppress(OSError, PhotoError):  # they are tried again when they are wanted, and it is told then
        opened(folder, photo).close()


def opened(folder: Path, photo: StoredPhoto) -> Pyramid:
    """A huge photo of a project, to be closed; raises PhotoError where its file is gone, changed or torn."""
    linked.check(folder, photo)
    return pyramids.open(path_of(folder, photo), levels_of(folder, photo), photo.name)


def fault(folder: Path, photo: StoredPhoto) -> str | None:
    """Why the file of a photo cannot be used, in one sentence; None where it can. An ordinary one is read through."""
    path = path_of(folder, photo)
    try:
        if is_large(photo):
            linked.check(folder, photo)
            pyramids.open(path, name=photo.name).close()
        elif pyramids.sha256_of(path) != photo.sha256:
            return f"{photo.name} was damaged or changed since it was added; its labels are kept."
    except FileNotFoundError:
        return linked.gone(photo)
    except OSError as error:
        return f"{photo.name} cannot be read from the project's folder ({error.strerror})."
    except PhotoError as error:
        return str(error)
    return None


def levels_of(folder: Path, photo: StoredPhoto) -> Path:
    """Where the smaller levels of a huge photo lie in the project's folder."""
    return folder / "cache" / "pyramids" / f"{photo.sha256}.tif"


def _looked_through(found: Found) -> tuple[str, tuple[int, int]]:
    """(hash, (width, height)) of a huge photo, read in pieces; raises PhotoError for what a project cannot keep."""
    if found.path.suffix.lower() in pyramids.OF_SEVERAL_FILES:
        raise PhotoError(
            f"{found.path.name} is a slide of several files and a project keeps one of each photo; save it as a tiled "
            "TIFF, or label it as it is with textseg segment."
        )
    with pyramids.open(found.path, name=found.name) as pyramid:
        pyramid.read((0, 0, 1, 1))
        return pyramid.sha256, pyramid.size


def still_to_do(photo: StoredPhoto) -> bool:
    """Whether somebody is to label it yet: it is neither done, with or without a review, nor skipped."""
    return photo.state not in ("done", "skipped") and photo.review != "reviewed"


def is_large(photo: StoredPhoto) -> bool:
    """Whether a photo of a project is read by windows; its row says so."""
    return photo.width * photo.height > images.MAX_PIXELS or photo.suffix in pyramids.SUFFIXES


def with_hash(session: Session, sha256: str) -> StoredPhoto | None:
    """The photo whose file has this hash."""
    return session.scalar(select(StoredPhoto).where(StoredPhoto.sha256 == sha256))


def find(session: Session, key: int | str, lock: bool = False) -> StoredPhoto:
    """By stored id (a number, or text of one), else by file name; raises ProjectError.

    With `lock` nobody else changes it until the transaction ends.
    """
    number = int(key) if str(key).isdecimal() and len(str(key)) < 10 else None
    photo = None if number is None else session.get(StoredPhoto, number, with_for_update=lock or None)
    if photo is None:
        named = select(StoredPhoto).where(StoredPhoto.name == str(key)).order_by(StoredPhoto.id).limit(1)
        photo = session.scalar(named.with_for_update() if lock else named)
    if photo is None:
        raise ProjectError(f"There is no photo '{key}' in the project.")
    return photo


def listed(session: Session, state: str | None, search: str) -> list[StoredPhoto]:
    """In the order they were added, of one state if given, whose name holds `search`."""
    return list(session.scalars(_chosen(select(StoredPhoto), state, search)))


def queue(session: Session, state: str | None, search: str) -> list[QueueEntry]:
    """What a list of photos shows of each; a fraction of the cost of `listed`."""
    columns = [getattr(StoredPhoto, name) for name in QueueEntry._fields]
    return [QueueEntry(*row) for row in session.execute(_chosen(select(*columns), state, search))]


def _chosen(query: Any, state: str | None, search: str) -> Any:
    if search:
        query = query.where(StoredPhoto.name.icontains(search, autoescape=True))
    if state:
        query = query.where(StoredPhoto.state == state)
    return query.order_by(StoredPhoto.id)


def by_state(session: Session) -> dict[str, int]:
    """How many photos are in each of STATES."""
    found = dict(session.execute(select(StoredPhoto.state, func.count()).group_by(StoredPhoto.state)).all())
    return {state: found.get(state, 0) for state in STATES}
