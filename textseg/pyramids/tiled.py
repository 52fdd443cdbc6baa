"""TIFF and JPEG 2000 by windows, through GDAL (rasterio)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from textseg import tones
from textseg.errors import PhotoError
from textseg.pyramids import Part, complete
from textseg.pyramids.gdal import driver, gdal

MAX_BLOCK_BYTES = 256 * 2**20
"""A file whose pieces are larger is refused: one of them would be decoded for the smallest window."""

SPAN_SIDE = 2048
"""Deep values are shown over the range of a copy whose long side is at most this."""

COLOURS = ("red", "green", "blue")


class Tiled:
    """A TIFF or JPEG 2000; see `Source`."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        """`name` is what messages call it, by default the file's. Raises PhotoError."""
        self._name = name or path.name
        self._file = _opened(path, self._name)
        self._bands, self._alpha = self._channels()
        self._check_blocks(*self._file.block_shapes[0])
        size = self._file.width, self._file.height
        factors = sorted(self._file.overviews(1))
        for shape in _block_shapes(path, self._name, len(factors)):
            self._check_blocks(*shape)
        self.levels = (size, *((-(-size[0] // by), -(-size[1] // by)) for by in factors))
        self._palette = self._colours_of_palette()
        self._span = self._shown_span()

    def read(self, box: Part, size: tuple[int, int]) -> np.ndarray:
        """(h, w, 3) uint8 of `box`, averaged down to `size` (w, h) from the nearest larger overview."""
        values = self._values(box, size)
        if self._palette is not None:
            return self._palette[values[..., 0]]
        return np.asarray(tones.from_values(values, self._span))

    def close(self) -> None:
        self._file.close()

    def _values(self, box: Part, size: tuple[int, int], average: bool = True) -> np.ndarray:
        """(h, w, channels) as stored, the opacity last if there is one."""
        from rasterio.enums import Resampling
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        window = Window(box[0], box[1], box[2] - box[0], box[3] - box[1])
        smaller = size[0] < window.width or size[1] < window.height
        how = Resampling.average if smaller and average and self._palette is None else Resampling.nearest
        bands = [*self._bands, *self._alpha]
        try:
            values = self._file.read(bands, window=window, out_shape=(len(bands), size[1], size[0]), resampling=how)
        except (RasterioError, ValueError) as error:
            raise PhotoError(
                f"{self._name} is damaged or cut short around ({box[0]:.0f}, {box[1]:.0f}) and cannot be read there."
            ) from error
        return np.moveaxis(values, 0, 2)

    def _channels(self) -> tuple[list[int], list[int]]:
        """The numbers of the bands that are seen, and of the opacity."""
        kinds = [kind.name for kind in self._file.colorinterp]
        alpha = [k for k, kind in enumerate(kinds, start=1) if kind == "alpha"][:1]
        if all(colour in kinds for colour in COLOURS):
            return [kinds.index(colour) + 1 for colour in COLOURS], alpha
        if "cyan" in kinds:
            raise PhotoError(f"{self._name} has inks (CMYK); save it as RGB first.")
        plain = [k for k in range(1, len(kinds) + 1) if k not in alpha]
        if len(plain) > 4:
            raise PhotoError(
                f"{self._name} has {len(plain)} channels and does not say which are red, green and blue; save the one "
                "or three of them that are to be seen as a TIFF of their own."
            )
        return plain[: 3 if len(plain) > 2 else 1], alpha

    def _check_blocks(self, rows: int, columns: int) -> None:
        together = self._file.count if self._file.interleaving and self._file.interleaving.value == "PIXEL" else 1
        held = rows * columns * np.dtype(self._file.dtypes[0]).itemsize * together
        if held > MAX_BLOCK_BYTES:
            raise PhotoError(
                f"{self._name} is stored in pieces of {columns} x {rows} pixels, which are decoded whole; save it as a "
                "tiled TIFF, for instance with: gdal_translate -of COG -co BIGTIFF=IF_SAFER photo large.tif"
            )

    def _colours_of_palette(self) -> np.ndarray | None:
        """(256, 3) uint8 colours, None where the values are no palette's."""
        if self._file.colorinterp[0].name != "palette":
            return None
        table = np.zeros((256, 3), np.uint8)
        for index, colour in self._file.colormap(1).items():
            if index < 256:
                table[index] = colour[:3]
        return table

    def _shown_span(self) -> tones.Span | None:
        """The range of the values of a small copy, None for bytes; what the file says is no value does not count."""
        if self._file.dtypes[0] == "uint8":
            return None
        width, height = self.levels[0]
        scale = min(1.0, SPAN_SIDE / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        values = self._values((0, 0, width, height), size, average=False)[..., : len(self._bands)]
        if self._file.nodata is not None:
            values = values[values != self._file.nodata].reshape(-1, 1)
        return tones.span_of(values) or (0.0, 1.0)


def _opened(path: Path, name: str) -> Any:
    with gdal(f"{name} is too large to be decoded whole, and is read by windows") as rasterio:
        try:
            file = rasterio.open(path, driver=driver(path))
        except (rasterio.errors.RasterioError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:120].rstrip(".")
            raise PhotoError(f"{name} is damaged or cut short and cannot be read ({reason}).") from None
    try:
        complete.check_filled(path, name, file.width, file.height)
        if file.driver == "GTiff":
            _check_upright(path, name)
        if not file.count or np.dtype(file.dtypes[0]).kind not in "uif":
            raise PhotoError(f"{name} holds numbers of a kind that cannot be shown; save it as 8-bit RGB.")
    except PhotoError:
        file.close()
        raise
    return file


def _block_shapes(path: Path, name: str, overviews: int) -> list[tuple[int, int]]:
    """(rows, columns) of the pieces that each overview of a file is stored in."""
    found = []
    with gdal(f"{name} is read") as rasterio:
        for level in range(overviews):
            try:
                with rasterio.open(path, driver=driver(path), overview_level=level) as overview:
                    found.append(overview.block_shapes[0])
            except rasterio.errors.RasterioError:
                raise PhotoError(f"{name} is damaged: its smaller levels cannot be read.") from None
    return found


def _check_upright(path: Path, name: str) -> None:
    """Raise PhotoError for a TIFF that is to be turned before it is seen."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            turned = tiff.pages.first.tags.valueof(274, 1)
    except Exception:  # GDAL has read it; what else it may hold is no turn
        return
    if int(turned) not in (0, 1):
        raise PhotoError(f"{name} lies on its side (orientation {int(turned)}); save it upright first.")
