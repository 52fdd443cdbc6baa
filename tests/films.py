"""Small films for tests, made where they are needed."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

try:
    import av
except ImportError:
    av = None  # type: ignore[assignment]

needs_av = pytest.mark.skipif(av is None, reason="PyAV is not installed (pip install av)")


def noise(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Pictures (H, W, 3) that all differ and that no codec makes small."""
    return list(np.random.default_rng(0).integers(0, 255, (count, height, width, 3), np.uint8))


def sliding(count: int, step: int = 4, size: tuple[int, int] = (80, 60)) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(pictures, label maps) of a textured square, class 1, that moves right over another texture by `step` pixels."""
    width, height = size
    rng = np.random.default_rng(1)
    behind, square = rng.integers(0, 90, (height, width, 3), np.uint8), rng.integers(140, 255, (30, 30, 3), np.uint8)
    pictures, maps = [], []
    for k in range(count):
        picture, ids = behind.copy(), np.zeros((height, width), np.uint16)
        box = slice(15, 45), slice(10 + step * k, 40 + step * k)
        picture[box], ids[box] = square, 1
        pictures.append(picture)
        maps.append(ids)
    return pictures, maps


def write_video(
    path: Path, pictures: Iterable[np.ndarray], rate: int = 10, codec: str = "mpeg4", pixels: str = "yuv420p",
    aspect: tuple[int, int] | None = None,
) -> Path:  # fmt: skip
    """A video of (H, W, 3) pictures, `rate` a second."""
    with av.open(str(path), "w") as container:
        stream: Any = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream(codec, rate=rate)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixels
                if aspect:
                    stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_growing(path: Path, pictures: Iterable[np.ndarray], larger_from: int) -> Path:
    """A MOV of PNGs, ten a second, that from one picture on are twice as wide and high as it says."""
    with av.open(str(path), "w") as container:
        stream: Any = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("png", rate=10)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "rgb24"
            content = io.BytesIO()
            scale = 2 if number >= larger_from else 1
            Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1)).save(content, "PNG")
            packet = av.Packet(content.getvalue())
            packet.pts = packet.dts = number
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 10), True
            container.mux(packet)
    return path


def claiming(path: Path, table: bytes, number: int) -> Path:
    """Have a table of a MOV claim so many pieces; one that it lacks comes in a box of its own."""
    content = bytearray(path.read_bytes())
    if table in (b"trun", b"cmov"):
        content += struct.pack(">I4s4xI", 16, table, number)
    else:
        at = content.find(table) + 12
        content[at : at + 4] = struct.pack(">I", number)
    path.write_bytes(content)
    return path


def write_sound(path: Path, pictures: Iterable[np.ndarray], seconds: int) -> Path:
    """A video of pictures of 64 x 48, ten a second, with uncompressed sound."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("mpeg4", rate=10)
        sound: Any = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        video.height, video.width = 48, 64
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, second * 48_000
            container.mux(sound.encode(frame))
        container.mux(video.encode())
    return path


def turned(path: Path) -> None:
    """Have an MP4 say that it is shown turned by 90 degrees clockwise, as telephones write."""
    content = bytearray(path.read_bytes())
    matrix = content.find(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(content)


def write_numbered(folder: Path, pictures: Iterable[np.ndarray], name: str = "frame-{}.png", first: int = 1) -> Path:
    """A folder of numbered photos."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, first):
        Image.fromarray(picture).save(folder / name.format(number))
    return folder
