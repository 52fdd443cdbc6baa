"""GDAL as it is used here (rasterio): found or missed with a sentence, and its memory bounded."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textseg.errors import PhotoError

CACHE_MB = 64
"""What GDAL keeps of decoded tiles, all files together."""


@contextmanager
def gdal(what: str) -> Iterator[Any]:
    """The package `rasterio`, set up for a block; raises PhotoError, which begins with `what`, where it is missing."""
    try:
        import rasterio
        import rasterio.shutil
        import rasterio.windows
        from rasterio.errors import NotGeoreferencedWarning
    except ImportError:
        raise PhotoError(f"{what} with: pip install 'textseg[large]'") from None
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MB))  # read once, when the first tile is decoded
    # Files beside a photo are none of our business, neither to read nor to write.
    bounds = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
    with rasterio.Env(**bounds), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a photo need not say where on earth it is
        yield rasterio


def driver(path: Path) -> str:
    """Which of GDAL's drivers opens a photo, and no other: some of them open further files, or the network."""
    with path.open("rb") as file:
        return "GTiff" if file.read(2) in (b"II", b"MM") else "JP2OpenJPEG"
