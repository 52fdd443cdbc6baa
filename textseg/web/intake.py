"""Photos and films on their way into a project, one photo after the other, as work in the background."""

from pathlib import Path
from typing import Any

from textseg.errors import FilmError
from textseg.film.intake import effort_of, take_numbered, take_video
from textseg.film.numbered import Numbered
from textseg.folders import Gathered, not_taken
from textseg.project import Project
from textseg.web.rpc.jobs import Progress


def take_in(project: Project, gathered: Gathered, progress: Progress) -> dict[str, Any]:
    """-> names added, duplicates as (given, there), failures as (name, reason), notes, and whether a person stopped it.

    Each photo is in the project when it is done, so those that came before a stop stay.
    """
    report = project.add(gathered.photos, progress.tell, progress.stopped)
    if not report.cancelled:
        progress.tell(len(gathered.photos), len(gathered.photos))
    left = not_taken(gathered.others, [Path(given).name for given, _ in report.failed])
    return {
        "added": report.added,
        "duplicates": [(Path(given).name, there) for given, there in report.duplicates],
        "failed": [(Path(given).name, reason) for given, reason in report.failed],
        "notes": [*report.notes, *([left] if left else [])],
        "stopped": report.cancelled,
    }


def take_films(project: Project, films: list[Numbered | Path], every: float, progress: Progress) -> dict[str, Any]:
    """The same of videos, a frame each `every` seconds, and of what folders number; each film is a note."""
    report: dict[str, Any] = {"added": [], "duplicates": [], "failed": [], "notes": [], "stopped": False}
    effort = effort_of(project)
    for film in films:
        if progress.stopped():
            return report | {"stopped": True}
        try:
            if isinstance(film, Path):
                taken = take_video(project, film, every, progress.tell, progress.stopped, effort)
            else:
                taken = take_numbered(project, film, progress.tell, progress.stopped)
        except FilmError as error:
            report["failed"].append((film.name, str(error)))
            continue
        report["notes"] += [str(taken), *taken.notes]
        report["added"] += taken.added
        report["failed"] += [(Path(name).name, reason) for name, reason in taken.failed]
        report["stopped"] |= taken.cancelled
    return report


def together(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Several reports as one."""
    names = "added", "duplicates", "failed", "notes"
    lists = {name: [one for report in reports for one in report[name]] for name in names}
    return lists | {"stopped": any(report["stopped"] for report in reports)}
