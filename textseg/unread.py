"""Files that people take for photos and that are none here: what each is, and what to do with it."""

from __future__ import annotations

RAW = "is a camera's raw file; develop it to JPEG or TIFF first, for example with darktable or RawTherapee"
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mrw", ".nef", ".nrw", ".orf",
     ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)  # fmt: skip

DICOM = "is a DICOM file; save its slices as PNG or TIFF first, for example with dcm2img, MicroDicom or 3D Slicer"
VIDEO = "is a video; the Data page and `textseg film add` take its frames"
HEIF = "is HEIC, which needs the package pillow-heif: pip install pillow-heif"
JXL = "is JPEG XL, which needs the package pillow-jxl-plugin: pip install pillow-jxl-plugin"
JP2 = "is JPEG 2000; save it as PNG or TIFF first"

_BY_CONTENT = (
    (128, b"DICM", DICOM),
    (0, b"FUJIFILMCCD-RAW", RAW), (8, b"CR\x02\x00", RAW), (4, b"ftypcrx ", RAW), (6, b"HEAPCCDR", RAW),
    *((0, mark, RAW) for mark in (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")),
    (0, b"8BPS", "is a Photoshop document; export it as PNG or JPEG first"),
    (0, b"%PDF", "is a PDF; save its pages as PNG first, for example with pdftoppm"),
    (0, b"<svg", "is a drawing (SVG); save it as PNG first"),
    (0, b"\xff\x0a", JXL), (0, b"\0\0\0\x0cJXL ", JXL), (0, b"\0\0\0\x0cjP  ", JP2), (0, b"\xff\x4f\xff\x51", JP2),
    (0, b"\x89HDF", "is HDF5; save its bands as TIFF first"), (0, b"SIMPLE  =", "is FITS; save it as TIFF first"),
    (0, b"v/1\x01", "is OpenEXR; save it as TIFF first"), (0, b"#?RADIANCE", "is Radiance HDR; save it as TIFF first"),
    *((4, b"ftyp" + brand, VIDEO) for brand in (b"qt", b"isom", b"mp4")),
    (0, b"\x1aE\xdf\xa3", VIDEO), (8, b"AVI ", VIDEO),
    *((4, b"ftyp" + brand, HEIF) for brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")),
)  # fmt: skip


def known_as(start: bytes, suffix: str) -> str | None:
    """What a file is that begins with `start` and whose name ends in `suffix`, as the rest of a sentence about it."""
    if suffix.lower() in RAW_SUFFIXES:
        return RAW
    found = (what for at, mark, what in _BY_CONTENT if start[at : at + len(mark)] == mark)
    return next(found, DICOM if suffix.lower() in (".dcm", ".dicom") else None)
