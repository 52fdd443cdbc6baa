"""Huge photos, made small: what makes one huge is the bound, which these tests lower."""

import hashlib
import struct
import sys

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from textseg import images, pyramids
from textseg.errors import PhotoError
from textseg.pyramids import complete, smaller

WIDTH, HEIGHT = 700, 500


@pytest.fixture
def pixels() -> np.ndarray:
    """A smooth picture with an edge, so that wrong places and wrong levels show."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, (x > 300) * 200], 2).astype(np.uint8)


def tiff(path, values, **how):
    tifffile.imwrite(path, values, tile=(128, 128), **({"photometric": "rgb"} | how))
    return path


@pytest.fixture
def photo(tmp_path, pixels):
    return tiff(tmp_path / "large.tif", pixels)


@pytest.fixture
def low_bound(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100_000)


def test_a_tiff_is_large_from_the_bound_of_ordinary_photos_on(photo, monkeypatch):
    assert not pyramids.is_large(photo)
    monkeypatch.setattr(images, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    assert pyramids.is_large(photo)


def test_a_large_png_is_none_of_them_for_it_has_no_windows(tmp_path, pixels, low_bound):
    Image.fromarray(pixels).save(tmp_path / "large.png")
    assert not pyramids.is_large(tmp_path / "large.png")
    with pytest.raises(PhotoError, match="cannot be read by windows; save it as a tiled TIFF"):
        pyramids.open(tmp_path / "large.png")


def test_jpeg_2000_is_large_at_any_size_for_no_other_room_reads_it(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jp2", irreversible=False)
    assert pyramids.is_large(tmp_path / "a.jp2")
    with pyramids.open(tmp_path / "a.jp2") as pyramid:
        assert (pyramid.read((10, 20, 110, 90)) == pixels[20:90, 10:110]).all()
        assert len(pyramid.levels) > 1


def test_a_window_has_the_pixels_that_the_file_has_there(photo, pixels):
    with pyramids.open(photo) as pyramid:
        assert pyramid.size == (WIDTH, HEIGHT)
        assert (pyramid.read((100, 50, 400, 300)) == pixels[50:300, 100:400]).all()
        assert (pyramid.read((-20, 450, 80, 900)) == pixels[450:, :80]).all(), "it is clipped to the photo"


def test_a_smaller_answer_is_the_mean_of_the_pixels(photo, pixels):
    with pyramids.open(photo) as pyramid:
        small = pyramid.read((0, 0, 640, 480), (160, 120))
    mean = pixels[:480, :640].reshape(120, 4, 160, 4, 3).mean((1, 3))
    assert np.abs(small - mean).max() <= 1


def test_neighbouring_windows_of_a_smaller_level_are_pieces_of_one_picture(photo):
    with pyramids.open(photo) as pyramid:
        whole = pyramid.read((0, 0, 640, 480), (160, 120))
        assert (pyramid.read((320, 240, 640, 480), (80, 60)) == whole[60:, 80:]).all()


def test_levels_are_those_of_the_file_or_halvings(tmp_path, photo, monkeypatch):
    with tifffile.TiffWriter(tmp_path / "own.tif") as file:
        values = np.zeros((512, 1024, 3), np.uint8)
        file.write(values, tile=(128, 128), photometric="rgb", subifds=2)
        for by in (2, 8):
            file.write(values[::by, ::by], tile=(128, 128), photometric="rgb", subfiletype=1)
    with pyramids.open(tmp_path / "own.tif") as pyramid:
        assert pyramid.levels[0] == (1024, 512)
    tiff(tmp_path / "plain.tif", np.zeros((40, 4100, 3), np.uint8))
    with pyramids.open(tmp_path / "plain.tif") as pyramid:
        assert pyramid.levels == ((4100, 40), (2050, 20), (1025, 10), (513, 5))


def test_the_hash_is_that_of_the_file(photo):
    with pyramids.open(photo) as pyramid:
        assert pyramid.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()


def test_deep_values_are_shown_over_their_range_in_every_window_alike(tmp_path):
    values = np.linspace(1000, 3000, 300 * 256).reshape(300, 256).astype(np.uint16)
    with pyramids.open(tiff(tmp_path / "deep.tif", values, photometric="minisblack")) as pyramid:
        assert pyramid.read((0, 0, 1, 1)).tolist() == [[[0, 0, 0]]]
        assert pyramid.read((255, 299, 256, 300)).tolist() == [[[255, 255, 255]]]


def test_transparency_is_laid_over_white(tmp_path, pixels):
    values = np.dstack([pixels, np.zeros((HEIGHT, WIDTH), np.uint8)])
    with pyramids.open(tiff(tmp_path / "clear.tif", values, extrasamples=["unassalpha"])) as pyramid:
        assert (pyramid.read((0, 0, 50, 50)) == 255).all()


def test_a_palette_keeps_its_colours(tmp_path):
    table = np.zeros((3, 256), np.uint16)
    table[:, 7] = 257 * np.array([10, 20, 30])
    path = tiff(tmp_path / "palette.tif", np.full((300, 300), 7, np.uint8), photometric="palette", colormap=table)
    with pyramids.open(path) as pyramid:
        assert (pyramid.read((0, 0, 300, 300), (100, 100)) == (10, 20, 30)).all()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"II*\0" + b"\1" * 90), "damaged or cut short"),
        (lambda path: path.write_bytes(b"<VRTDataset/>"), "cannot be read by windows"),
        (lambda path: tiff(path, np.zeros((9, 300, 300), np.uint8), photometric="minisblack", planarconfig="separate"),
         "has 9 channels and does not say which are red, green and blue"),
        (lambda path: tiff(path, np.zeros((300, 300, 3), np.uint8), extratags=[(274, "H", 1, 6, True)]),
         "lies on its side"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, make, sentence):
    path = tmp_path / "odd.tif"
    make(path)
    with pytest.raises(PhotoError, match=sentence):
        pyramids.open(path)


def test_a_file_cut_short_says_where(photo):
    photo.write_bytes(photo.read_bytes()[: photo.stat().st_size * 2 // 3])
    try:
        pyramid = pyramids.open(photo)
    except PhotoError:
        return
    with pyramid, pytest.raises(PhotoError, match=r"damaged or cut short around \(600, 450\)"):
        pyramid.read((600, 450, 700, 500))


def test_a_tiff_that_ends_before_its_pieces_is_refused_when_it_is_opened(photo):
    content = photo.read_bytes()
    photo.write_bytes(content[: len(content) - 1])
    with pytest.raises(PhotoError, match="large.tif is cut short: 1 of its 24 pieces lie beyond its end; copy it"):
        pyramids.open(photo)
    photo.write_bytes(content[: len(content) // 2])
    with pytest.raises(PhotoError, match=r"ortho.tif is cut short: 1\d of its 24 pieces"):
        pyramids.open(photo, name="ortho.tif")


def test_pieces_of_smaller_levels_count_too(tmp_path, pixels):
    path = tmp_path / "levels.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, tile=(128, 128), photometric="rgb", subifds=1)
        file.write(np.ascontiguousarray(pixels[::2, ::2]), tile=(128, 128), photometric="rgb", subfiletype=1)
    pyramids.open(path).close()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PhotoError, match="1 of its 30 pieces lie beyond its end"):
        pyramids.open(path)


def directories(count, side):
    """A TIFF of so many directories: a photo and copies of it, each of one piece that lies far beyond the end."""
    one = {254: 1, 256: side, 257: side, 258: 8, 259: 8, 262: 1, 273: 2**31, 277: 1, 278: side, 279: 1}
    length = 2 + 12 * len(one) + 4
    tags = struct.pack("<H", len(one)) + b"".join(struct.pack("<HHII", tag, 4, 1, one[tag]) for tag in one)
    nexts = [8 + length * (k + 1) for k in range(count - 1)] + [0]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(tags + struct.pack("<I", at) for at in nexts)


def test_of_a_million_directories_no_more_are_looked_at_than_a_photo_has(tmp_path):
    (tmp_path / "many.tif").write_bytes(directories(1000, side=1))
    with pytest.raises(PhotoError, match="64 of its 64 pieces lie beyond its end"):
        complete.check(tmp_path / "many.tif", "many.tif")


def test_a_small_file_of_endless_pixels_is_told_before_its_directories_are_looked_at(tmp_path):
    (tmp_path / "many.tif").write_bytes(directories(1000, side=200_000))
    with pytest.raises(PhotoError, match="says that it has 200000 x 200000 pixels"):
        complete.check(tmp_path / "many.tif", "many.tif")


def test_a_last_strip_whose_length_counts_rows_that_are_not_there_is_no_fault(tmp_path, pixels):
    path = tmp_path / "strips.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=64)
    with tifffile.TiffFile(path, mode="r+b") as file:
        tag = file.pages.first.tags["StripByteCounts"]
        tag.overwrite((*tag.value[:-1], tag.value[0]))
    with pyramids.open(path) as pyramid:
        assert (pyramid.read((600, 490, 700, 500)) == pixels[490:, 600:]).all()


@pytest.mark.parametrize("ending", ["jp2", "j2k"])
def test_a_jpeg_2000_that_ends_early_is_refused_when_it_is_opened(tmp_path, pixels, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path, tile_size=(256, 256))
    pyramids.open(path).close()
    content = path.read_bytes()
    for length in (len(content) - 100, len(content) // 2, 200):
        path.write_bytes(content[:length])
        with pytest.raises(PhotoError, match=rf"a.{ending} is (cut short|damaged)"):
            pyramids.open(path)


@pytest.mark.parametrize("ending", sorted(pyramids.SLIDES))
@pytest.mark.parametrize("start", [b"\xff\xd8\xff\xe0", b"[Virtual Microscope Specimen]\n", b"ZISRAWFILE"])
def test_a_slide_that_is_neither_tiff_nor_jpeg_2000_is_left_to_who_reads_it(tmp_path, ending, start):
    path = tmp_path / f"slide{ending}"
    path.write_bytes(start + bytes(600))
    complete.check(path, path.name)


def test_pieces_that_would_fill_the_memory_are_refused(tmp_path, pixels, monkeypatch):
    from textseg.pyramids import tiled

    monkeypatch.setattr(tiled, "MAX_BLOCK_BYTES", 10**6)
    tifffile.imwrite(tmp_path / "strip.tif", pixels, photometric="rgb", rowsperstrip=HEIGHT, compression="zlib")
    with pytest.raises(PhotoError, match="stored in pieces of 700 x 500 pixels"):
        pyramids.open(tmp_path / "strip.tif")


def test_pieces_of_a_smaller_level_that_would_fill_the_memory_are_refused(tmp_path, pixels, monkeypatch):
    from textseg.pyramids import tiled

    monkeypatch.setattr(tiled, "MAX_BLOCK_BYTES", 10**5)
    with tifffile.TiffWriter(tmp_path / "level.tif") as file:
        file.write(pixels, tile=(128, 128), photometric="rgb")
        half = {"rowsperstrip": HEIGHT // 2, "compression": "zlib", "subfiletype": 1}
        file.write(np.ascontiguousarray(pixels[::2, ::2]), photometric="rgb", **half)
    with pytest.raises(PhotoError, match="stored in pieces of 350 x 250 pixels"):
        pyramids.open(tmp_path / "level.tif")


def test_a_missing_library_is_named(photo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(PhotoError, match=r"pip install 'textseg\[large\]'"):
        pyramids.open(photo)
    monkeypatch.setitem(sys.modules, "openslide", None)
    (tmp_path / "slide.svs").write_bytes(b"II*\0 and so on")
    with pytest.raises(PhotoError, match=r"pip install 'textseg\[large\]'"):
        pyramids.open(tmp_path / "slide.svs")


def test_a_slide_is_read_from_its_levels(tmp_path):
    pytest.importorskip("openslide")
    values = np.zeros((640, 800, 3), np.uint8)
    values[320:, 400:] = (200, 100, 50)
    with tifffile.TiffWriter(tmp_path / "made.svs") as file:
        about = "Aperio Image Library v1.0\n800x640 |AppMag = 20|MPP = 0.5"
        for by in (1, 4):
            file.write(values[::by, ::by], tile=(256, 256), photometric="rgb", description=about, metadata=None)
    with pyramids.open(tmp_path / "made.svs") as pyramid:
        assert pyramid.levels == ((800, 640), (200, 160))
        assert (pyramid.read((300, 200, 500, 400)) == values[200:400, 300:500]).all()
        assert (pyramid.read((0, 0, 800, 640), (200, 160)) == values[::4, ::4]).all()
        assert (pyramid.read((0, 0, 800, 640), (100, 80)) == values[::8, ::8]).all()


def test_a_window_beside_the_photo_is_refused(photo):
    with pyramids.open(photo) as pyramid, pytest.raises(PhotoError, match="does not meet large.tif"):
        pyramid.read((800, 0, 900, 100))


def test_levels_that_a_file_lacks_are_made_once_and_read_from_then_on(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(smaller, "BLOCK", 32)
    monkeypatch.setattr(smaller, "SIDE", 64)
    levels = tmp_path / "cache" / "levels.tif"
    with pyramids.open(photo) as pyramid:
        assert smaller.lacks_levels(pyramid)
        alone = pyramid.read((64, 40, 640, 440), (72, 50))
    for _ in range(2):
        with pyramids.open(photo, levels) as pyramid:
            made = pyramid.read((64, 40, 640, 440), (72, 50))
            assert np.abs(made.astype(int) - alone).mean() < 2.5, "as a JPEG of high quality"
            close = pyramid.read((100, 50, 300, 150), (100, 50))
    with pyramids.open(photo) as pyramid:
        assert (pyramid.read((100, 50, 300, 150), (100, 50)) == close).all(), "nearer looks are at the photo itself"
    photo_of = levels.stat()
    with pyramids.open(photo, levels):
        assert levels.stat().st_mtime_ns == photo_of.st_mtime_ns


def test_a_window_of_the_made_levels_may_begin_anywhere(tmp_path, photo, pixels, monkeypatch):
    monkeypatch.setattr(smaller, "BLOCK", 32)
    with pyramids.open(photo, tmp_path / "levels.tif") as pyramid:
        small = pyramid.read((37, 41, 437, 441), (50, 50))
    mean = pixels[41:441, 37:437].reshape(50, 8, 50, 8, 3).mean((1, 3))
    assert np.abs(small - mean)[:, :30].mean() < 3


def test_a_small_file_that_claims_endless_pixels_is_refused(tmp_path):
    path = tmp_path / "hollow.tif"
    layout = {"tiled": True, "blockxsize": 16384, "blockysize": 16384, "SPARSE_OK": True}
    with rasterio.open(path, "w", driver="GTiff", width=200_000, height=200_000, count=1, dtype="uint8", **layout):
        pass
    assert pyramids.is_large(path)
    with pytest.raises(PhotoError, match="says that it has 200000 x 200000 pixels"):
        pyramids.open(path)
