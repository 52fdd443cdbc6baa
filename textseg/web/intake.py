"""Photos of a folder on their way into a project, one after the other, as work in the background."""

from pathlib import Path
from typing import Any

from textseg.folders import Found
from textseg.project import Project
from textseg.web.rpc.jobs import Progress


def take_in(project: Project, photos: list[Found], progress: Progress) -> dict[str, Any]:
    """-> names added, duplicates as (given, there), failures as (name, reason), notes, and whether a person stopped it.

    Each photo is in the project when it is done, so those that came before a stop stay.
    """
    report = project.add(photos, progress.tell, progress.stopped)
    if not report.cancelled:
        progress.tell(len(photos), len(photos))
    return {
        "added": report.added,
        "duplicates": [(Path(given).name, there) for given, there in report.duplicates],
        "failed": [(Path(given).name, reason) for given, reason in report.failed],
        "notes": report.notes,
        "stopped": report.cancelled,
    }
