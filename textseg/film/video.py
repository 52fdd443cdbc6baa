"""The frames of a video file by time, upright and with square pixels; PyAV decodes them (extra `film`)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from textseg import images
from textseg.errors import FilmError
from textseg.film import boxes

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
                      ".wmv", ".flv", ".3gp", ".ogv", ".mxf"})  # fmt: skip
"""File endings taken as videos."""

BOXES, CONTAINERS = "mov,mp4", "matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,mxf"
"""What a video may be, by its content: none of these opens another file. Of BOXES the tables are counted first."""

INSTALL = "Reading a video needs PyAV: pip install 'textseg[film]' (or: pip install av)."

ENDS = 65_536
"""Bytes at both ends of a file that tell it from others."""

EARLY = 1e-3
"""Seconds by which a frame may come before its time: timestamps are rounded."""

PIECE = 20_000
"""Pixels that a piece of a video counts as beside its own: taking the smallest one apart is work too."""

THREADS = 4
"""That decode: each may hold a frame as large as a photo may be."""

SHORT = 1.0
"""Seconds by which a film may end before its header says so."""


@dataclass
class Effort:
    """How much may still be decoded, one video after the other; without an end where nobody bounds it."""

    pixels: float = math.inf


def never() -> bool:
    """Nobody stops it."""
    return False


@dataclass(frozen=True)
class Frame:
    """One frame of a video."""

    number: int
    """How many frames come before it in the video."""
    at: float
    """Seconds from the first frame."""
    picture: Image.Image


class Video:
    """A video file. Raises FilmError where it cannot be read, or PyAV is not installed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as container:
            stream = self._stream(container)
            self.seconds: float | None = _seconds(container, stream)
            """How long it is, as its header says."""
            self._aspect: Fraction | None = stream.sample_aspect_ratio
            _check_size(path.name, stream.width or 0, stream.height or 0, self._aspect)
        self.lost = 0
        """Pieces that could not be decoded so far."""
        self.broke: float | None = None
        """Seconds at which it breaks off; None while it has not."""
        self.cancelled = False
        """Whether somebody stopped it."""
        self.given_up: float | None = None
        """Seconds after which no more may be decoded; None while it may."""

    @property
    def source(self) -> str:
        """Tells the file from others, whatever it is called."""
        size = self.path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with self.path.open("rb") as file:
            digest.update(file.read(ENDS))
            file.seek(max(size - ENDS, 0))
            digest.update(file.read())
        return f"video {digest.hexdigest()}"

    def frames(self, every: float, cancel: Callable[[], bool] = never, effort: Effort | None = None) -> Iterator[Frame]:
        """The first frame, and then the first one at or after each `every` seconds.

        What cannot be decoded is left out and counted (`lost`); a file that is torn gives what comes before (`broke`).
        `cancel` is asked at each piece of the file, of which `effort` bounds how many are decoded: it ends early then
        (`cancelled`, `given_up`).
        """
        due, at, first = 0.0, 0.0, None
        for number, frame in enumerate(self._decoded(cancel, effort or Effort())):
            if frame.is_corrupt:
                self.lost += 1
                continue
            time = frame.time if frame.time is not None else at
            first = time if first is None else first
            at = time - first
            _check_size(self.path.name, frame.width, frame.height, self._aspect)  # it may change on the way
            if at + EARLY >= due:
                yield Frame(number, at, upright(frame, self._aspect))
                due = ((at + EARLY) // every + 1) * every
        if self.cancelled:
            return
        if self.given_up is not None:
            self.given_up = at
            return
        if first is None:
            raise FilmError(f"{self.path.name} is torn: no frame of it can be decoded.")
        short = self.seconds is not None and at < 0.98 * self.seconds - SHORT
        if short or self.broke is not None:
            self.broke = at

    def _decoded(self, cancel: Callable[[], bool], effort: Effort) -> Iterator[Any]:
        import av

        with self._opened() as container:
            stream = self._stream(container)
            packets = container.demux(stream)
            while True:
                self.cancelled = cancel()
                self.given_up = 0.0 if effort.pixels <= 0 else None
                if self.cancelled or self.given_up is not None:
                    return
                effort.pixels -= PIECE
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                except av.error.FFmpegError:
                    self.broke = 0.0
                    return
                try:
                    frames = packet.decode()
                except av.error.EOFError:
                    return
                except av.error.FFmpegError:
                    self.lost += 1
                    effort.pixels -= (stream.width or 0) * (stream.height or 0)
                    continue
                for frame in frames:
                    effort.pixels -= frame.width * frame.height
                    yield frame

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            import av
        except ImportError:
            raise FilmError(f"{self.path.name} is a video. {INSTALL}") from None
        name = self.path.name
        if not self.path.is_file():
            raise FilmError(f"{self.path} does not exist.")
        try:
            known = BOXES if boxes.is_boxes(self.path) else CONTAINERS
            if known == BOXES and boxes.pieces(self.path) > boxes.MOST:
                raise FilmError(f"{name} names more pieces than a film has, or packs their tables; convert it first.")
            # As an open file: nothing that it names is opened. Opening decodes a little already.
            with (
                self.path.open("rb") as file,
                av.open(
                    file,
                    options=_bounds(),
                    container_options={"format_whitelist": known, "protocol_whitelist": ""},
                ) as container,
            ):
                yield container
        except (av.error.DecoderNotFoundError, av.error.PatchWelcomeError):
            raise FilmError(f"{name} is coded in a way that PyAV cannot decode; convert it to H.264 first.") from None
        except PermissionError as error:
            raise FilmError(f"{name} cannot be read ({error.strerror}).") from None
        except (av.error.FFmpegError, OSError):
            raise FilmError(f"{name} is torn, or no video that can be read; use MP4, MOV, MKV, WebM or AVI.") from None

    def _stream(self, container: Any) -> Any:
        streams = [one for one in container.streams.video if not one.disposition & one.disposition.attached_pic]
        if not streams:
            raise FilmError(f"{self.path.name} holds no pictures, only sound.")
        if streams[0].codec_context is None:
            raise FilmError(f"{self.path.name} is coded in a way that PyAV cannot decode; convert it to H.264 first.")
        streams[0].codec_context.options = _bounds()
        streams[0].thread_type, streams[0].codec_context.thread_count = "AUTO", THREADS
        return streams[0]


def upright(frame: Any, aspect: Fraction | None) -> Image.Image:
    """A decoded frame as an 8-bit RGB photo: its pixels made square (they are `aspect` times as wide as high), turned
    as its file says, by whole quarters: what lies askew was filmed so.
    """
    photo = frame.to_image()
    if aspect and aspect != 1:
        photo = photo.resize((max(1, round(photo.width * aspect)), photo.height), Image.Resampling.BICUBIC)
    quarters = round(frame.rotation / 90) % 4
    return photo.rotate(90 * quarters, expand=True) if quarters else photo


def _bounds() -> dict[str, str]:
    """What a decoder is told, so that it makes no room for a frame that is larger than its video says."""
    return {"max_pixels": str(images.MAX_PIXELS)}


def _check_size(name: str, width: int, height: int, aspect: Fraction | None) -> None:
    """Raise FilmError for more pixels than a photo may have, also once they are made square."""
    shown = max(width, round(width * (aspect or 1)))
    if shown * height > images.MAX_PIXELS:
        raise FilmError(
            f"{name} is too large: {shown} x {height} pixels, the limit is {images.MAX_PIXELS // 1_000_000} megapixels."
        )


def _seconds(container: Any, stream: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None
