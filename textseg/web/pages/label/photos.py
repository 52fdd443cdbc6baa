"""Photos on the Label page: opened, listed small, added, and what is noted about them."""

import base64
import tempfile
from pathlib import Path
from typing import Any

from textseg.errors import PhotoError
from textseg.files import write_atomically
from textseg.folders import SUFFIXES
from textseg.labelmap import index_png
from textseg.project.photos import is_large
from textseg.project.schema import STATES, StoredPhoto
from textseg.project.windows import Window
from textseg.web import huge
from textseg.web.api.project import ProjectApi
from textseg.web.rpc import pictures
from textseg.web.rpc.messages import Message, whole

SHOWN_SIDE = 4096
"""Long side at most of the copy of a photo that the page shows; the label map always has every pixel."""

THUMB_SIDE = 160
MOST_THUMBS = 64
MOST_WINDOWS = 4


class PhotoFunctions:
    """Server functions about the photos of the project in hand."""

    api: ProjectApi

    def thumbs(self, message: Any) -> dict[str, Any]:
        """`{"photos": [id, ...]}` -> small JPEGs by id, null for a photo whose file cannot be read."""
        wanted = Message(message).items("photos", MOST_THUMBS, whole)
        return {"thumbs": {str(key): self._thumb(self.api.project.photo(key)) for key in wanted}}

    def open(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> the photo's picture, label map, revision and note.

        Of a huge photo, picture and label map are those of a window that shows all of it, which is `whole`; they are
        there as well where its file is gone or was changed, and `problem` says that.
        """
        row = self.row(Message(message))
        facts = {"photo": row.id, "name": row.name, "size": [row.width, row.height], "state": row.state}
        facts["note"] = row.note
        if is_large(row):
            seen, jpeg = huge.whole(row), _text(self.api.huge.overview(self.api.project, row))
            if problem := self.api.huge.problem(self.api.project, row):
                facts["problem"] = problem
            return facts | {"jpeg": jpeg, "whole": huge.as_sent(seen)} | self._labels(row, [seen])
        jpeg = pictures.jpeg(self.api.project.picture(row.id), SHOWN_SIDE, quality=90)
        return facts | {"jpeg": jpeg} | self.label_map(message)

    def window(self, message: Any) -> dict[str, Any]:
        """`{"photo", "window": {"box", "step"}}` -> `jpeg` and `labels` of what a window onto a huge photo shows.

        Each has a pixel for each of the window's cells; with the revision.
        """
        asked = Message(message)
        row = self.row(asked)
        seen = huge.window(asked.raw("window"), row)
        jpeg = pictures.jpeg(self.api.huge.picture(self.api.project, row, seen), huge.WINDOW_SIDE, quality=90)
        return {"jpeg": jpeg, "window": huge.as_sent(seen)} | self._labels(row, [seen])

    def label_map(self, message: Any) -> dict[str, Any]:
        """`{"photo", "windows"?}` -> its label map as an index PNG, and the revision.

        Of a huge photo `labels` has an index PNG for each of the windows.
        """
        asked = Message(message)
        row = self.row(asked)
        if is_large(row):
            return self._labels(row, asked.items("windows", MOST_WINDOWS, lambda value, _: huge.window(value, row)))
        png, revision = self.api.label_map(self.api.project.name, str(row.id))
        return {"labels": _text(png), "revision": revision}

    def _labels(self, row: StoredPhoto, windows: list[Window]) -> dict[str, Any]:
        maps, revision = self.api.project.label_windows(row.id, windows)
        colours = self.api.project.colours()
        return {"labels": [_text(index_png(ids, colours)) for ids in maps], "revision": revision}

    def set_state(self, message: Any) -> dict[str, Any]:
        """`{"photo", "state"}`."""
        asked = Message(message)
        state = asked.choice("state", STATES)
        self.api.project.set_state(self.row(asked).id, state)
        if state == "done":
            self.api.photo_done()
        return {}

    def set_note(self, message: Any) -> dict[str, Any]:
        """`{"photo", "note"}`."""
        asked = Message(message)
        self.api.project.set_note(self.row(asked).id, asked.text("note", ""))
        return {}

    def add_photos(self, message: Any) -> dict[str, Any]:
        """A form of photos, `name` is what one is called -> added, duplicates (given, there), failed (name, reason)."""
        asked = Message(message)
        if not asked.files:
            raise PhotoError("Choose at least one photo.")
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, (sent_as, data) in enumerate(asked.files):
                # Browsers write a quote in the name of a file in a form as %22, so the page sends the name beside it.
                name = asked.text("name", sent_as or "photo")
                path = Path(folder) / str(number) / (Path(name).name[-120:].replace("\0", "") or "photo")
                if path.suffix.lower() not in SUFFIXES:
                    raise PhotoError(f"{path.name} is not a photo; choose {', '.join(sorted(SUFFIXES))}.")
                path.parent.mkdir()
                path.write_bytes(data)
                paths.append(path)
            report = self.api.project.add(paths)
        return {
            "added": report.added,
            "duplicates": [[Path(given).name, there] for given, there in report.duplicates],
            "failed": [[Path(given).name, reason] for given, reason in report.failed],
        }

    def row(self, asked: Message) -> StoredPhoto:
        """The photo that a message is about; raises RequestError, ProjectError."""
        return self.api.project.photo(asked.whole("photo"))

    def _thumb(self, row: StoredPhoto) -> str | None:
        path = self.api.project.folder / "cache" / "thumbs" / f"{row.sha256}.jpg"
        try:
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, pictures.jpeg_bytes(self.api.small(row), THUMB_SIDE, quality=80))
            return _text(path.read_bytes())
        except (PhotoError, OSError):
            return None


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
