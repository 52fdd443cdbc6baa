"""A project: one folder with photos, classes, label maps and every gesture that made them.

`project.sqlite` holds the truth, `photos/<sha256><suffix>` the originals, untouched; `cache/` may be deleted any time.

`Project` opens a transaction for each question or change; what is done in it stands in a room of its own: `photos`,
`classes`, `labels` (what a label map says, and who made it), `gestures` (what changes it), `log` (undo and history),
`intake` (many photos and label maps as one). Below them lie `raster` (tiles), `schema` and `database`.
"""

from textseg.project.gestures import Region
from textseg.project.log import EditResult
from textseg.project.photos import AddReport, QueueEntry
from textseg.project.project import Project

__all__ = ["AddReport", "EditResult", "Project", "QueueEntry", "Region"]
