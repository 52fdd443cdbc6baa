"""Photos of a folder on their way into a project, one after the other, as work in the background."""

from pathlib import Path
from typing import Any

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
