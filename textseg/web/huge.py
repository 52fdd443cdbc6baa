"""Huge photos on the pages: opened once, seen whole at a coarse step, and through windows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from textseg.errors import EditError, PhotoError
from textseg.files import write_atomically
from textseg.project import Project
from textseg.project.linked import Stamp, stamp_of
from textseg.project.schema import StoredPhoto
from textseg.project.windows import Window
from textseg.pyramids import Pyramid
from textseg.web.rpc import pictures
from textseg.web.rpc.photos import WindowPhoto

WHOLE_SIDE = 1024
"""Most cells along a side of the whole photo, as it is shown around the window and in the navigator."""

WINDOW_SIDE = 2048
"""Most cells along a side of a window: what a page is sent does not grow with the photo."""

MOST_OPEN = 4
"""Huge photos that are held open at a time."""


@dataclass
class Held:
    """One huge photo, opened by whoever asks first; those who ask for another one meanwhile do not wait for it."""

    pyramid: Pyramid | None = None
    stamp: Stamp | None = None
    """Of its file, when it was opened."""
    lock: threading.Lock = field(default_factory=threading.Lock)


def whole(photo: StoredPhoto) -> Window:
    """The window that shows all of a photo."""
    longest = max(photo.width, photo.height)
    return Window((0, 0, photo.width, photo.height), -(-longest // WHOLE_SIDE))


def window(value: Any, photo: StoredPhoto) -> Window:
    """A window of a page's message; raises EditError, also for one with more cells than a page shows."""
    found = Window.read(value, (photo.width, photo.height))
    if max(found.size) > WINDOW_SIDE:
        raise EditError(f"A window has at most {WINDOW_SIDE} cells a side, not {found.size[0]} x {found.size[1]}.")
    return found


def as_sent(window: Window) -> dict[str, Any]:
    """A window as it travels."""
    return {"box": list(window.box), "step": window.step}


class HugePhotos:
    """The huge photos that pages look at. Safe to use from several threads."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Held] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, project: Project, photo: StoredPhoto, window: Window) -> Image.Image:
        """What a window shows, a pixel a cell; raises PhotoError when the file has vanished or is torn there."""
        return Image.fromarray(self._pyramid(project, photo).read(window.box, window.size))

    def overview(self, project: Project, photo: StoredPhoto) -> bytes:
        """A JPEG of the whole photo, of the cells of `whole`; made once."""
        path = project.folder / "cache" / "overviews" / f"{photo.sha256}.jpg"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            shown = self.picture(project, photo, whole(photo))
            write_atomically(path, pictures.jpeg_bytes(shown, WHOLE_SIDE, quality=85))
        return path.read_bytes()

    def problem(self, project: Project, photo: StoredPhoto) -> str | None:
        """Why no window onto a photo can be read, None where it can: its file is gone, torn, or was changed."""
        try:
            self._pyramid(project, photo)
        except PhotoError as error:
            return str(error)
        return None

    def seen(self, project: Project, photo: StoredPhoto, window: Window) -> WindowPhoto:
        """What a window shows, as a photo that a model can be asked about."""
        box = ",".join(map(str, window.box))
        name = f"{Path(photo.name).stem}-{window.box[0]}-{window.box[1]}"
        key = f"{photo.sha256}:{box}/{window.step}"
        return WindowPhoto(name, key, lambda: self.picture(project, photo, window))

    def _pyramid(self, project: Project, photo: StoredPhoto) -> Pyramid:
        path = project.original(photo)
        with self._lock:
            held = self._open.pop(path, None) or Held()
            self._open[path] = held
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)  # it closes when nobody reads it any more
        with held.lock:
            if held.pyramid is None or _stamp(path) != held.stamp:
                held.pyramid = None
                stamp = _stamp(path)
                held.pyramid, held.stamp = project.pyramid(photo.id), stamp
            return held.pyramid


def _stamp(path: Path) -> Stamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None
