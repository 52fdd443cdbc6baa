import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from textseg import images, pages, tones
from textseg.errors import PhotoError
from textseg.folders import common_span, gather


def encoded(photo: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def photo() -> Image.Image:
    """Red above blue, taller than wide."""
    pixels = np.zeros((40, 30, 3), np.uint8)
    pixels[:20, :, 0] = pixels[20:, :, 2] = 200
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "F", "RGB"])
def test_every_colour_mode_becomes_upright_rgb(photo, mode):
    if mode == "I;16":
        photo = Image.fromarray(np.full((40, 30), 40000, np.uint16))
    elif mode == "F":
        photo = Image.fromarray(np.linspace(0, 1, 1200, dtype=np.float32).reshape(40, 30))
    else:
        photo = photo.convert(mode)
    opened = images.open(encoded(photo, "TIFF"))
    assert (opened.mode, opened.size) == ("RGB", (30, 40))


def test_a_16_bit_photo_keeps_its_brightness():
    opened = images.open(encoded(Image.fromarray(np.full((4, 4), 32896, np.uint16))))
    assert np.asarray(opened).mean() == pytest.approx(128, abs=1)


def test_transparent_pixels_are_laid_over_white():
    opened = images.open(encoded(Image.new("RGBA", (3, 3), (255, 0, 0, 0))))
    assert opened.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_undone(photo, orientation):
    stored_as = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = photo.transpose(stored_as[orientation]) if orientation > 1 else photo
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(np.asarray(images.open(encoded(stored, exif=exif))), np.asarray(photo))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("torn.jpg", encoded(Image.effect_noise((200, 200), 90).convert("RGB"), "JPEG")[:3000], "damaged or cut short"),
        ("words.png", b"these are only words, not a picture", "not a picture"),
        ("nothing.png", b"", "empty"),
    ],
)
def test_what_is_no_photo_is_refused_in_one_sentence_that_names_the_file(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PhotoError) as refusal:
        images.open(tmp_path / name)
    sentence = str(refusal.value)
    assert says in sentence and name in sentence and "\n" not in sentence and sentence.endswith(".")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    bomb = encoded(Image.new("1", (30_000, 30_000)))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PhotoError, match="too large"):
        images.open(bomb)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(PhotoError, match="gone.jpg does not exist"):
        images.open(tmp_path / "gone.jpg")
    with pytest.raises(PhotoError, match="not a file"):
        images.open(tmp_path)


def test_a_folder_stands_for_its_photos_in_order(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in images.find([tmp_path, tmp_path / "z.jpg"])] == ["a.PNG", "b.jpg", "z.jpg"]


@pytest.mark.parametrize("size", [(1, 1), (20, 900), (4000, 3000), (640, 480)])
def test_working_size_has_sides_on_the_multiple_and_a_bounded_long_side(size):
    width, height = images.fit(Image.new("RGB", size), 448, 32).size
    assert width % 32 == 0 and height % 32 == 0
    assert max(width, height) <= 2048 and min(width, height) >= 32


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", b"P6 1 1 255 abc"]
)
def test_only_formats_that_are_meant_come_in_whatever_the_name_says(tmp_path, monkeypatch, content):
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(PhotoError, match="photo.jpg is not a picture that can be read"):
        images.open(tmp_path / "photo.jpg")


def test_a_name_longer_than_files_have_is_one_sentence(tmp_path):
    with pytest.raises(PhotoError, match=r"\.$"):
        images.open(tmp_path / ("x" * 300 + ".jpg"))


def test_whatever_a_decoder_raises_is_one_sentence(monkeypatch, photo):
    def fail(self):
        raise RuntimeError("the decoder gave up")

    content = encoded(photo)
    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(PhotoError, match="cannot be read .the decoder gave up"):
        images.open(content)


@pytest.mark.parametrize("mode", ["RGBA", "I;16", "F", "P", "LA", "CMYK"])
def test_bands_meet_without_a_seam(mode, monkeypatch):
    values = np.random.default_rng(0).integers(0, 255, (40, 30, 4), np.uint8)
    if mode in ("I;16", "F"):
        photo = Image.fromarray(values[..., 0].astype(np.uint16 if mode == "I;16" else np.float32) * 100)
    else:
        photo = Image.fromarray(values if mode in ("RGBA", "LA") else values[..., :3]).convert(mode)
    content = encoded(photo, "TIFF")
    whole = np.asarray(images.open(content))
    monkeypatch.setattr(tones, "BAND", 7)
    assert np.array_equal(np.asarray(images.open(content)), whole)


def tiff(values, **options):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def ramp(low, high, kind, *channels):
    values = np.tile(np.linspace(low, high, 100), (40, 1)).astype(kind)
    return np.repeat(values[..., None], channels[0], 2) if channels else values


def shown(content):
    photo = images.open(content)
    assert (photo.mode, photo.size) == ("RGB", (100, 40))
    return np.asarray(photo)


@pytest.mark.parametrize(
    "values",
    [
        ramp(842, 1529, "u2"), ramp(842, 1529, ">u2"), ramp(-300, 20, "i2"), ramp(-5, 100, "i1"), ramp(3e9, 4e9, "u4"),
        ramp(-1e9, 1e9, "i4"), ramp(14, 243, "f4"), ramp(-1e300, 1e300, "f8"), ramp(0, 0.001, "f2"),
        ramp(842, 1529, "u2", 3), ramp(842, 1529, ">u2", 3), ramp(1, 2, "f4", 3), ramp(5, 70_000, "u4", 3),
    ],
)  # fmt: skip
def test_values_of_more_than_8_bits_are_shown_over_their_range(values):
    colours = {"photometric": "rgb"} if values.ndim == 3 else {}
    for compression in (None, "zlib"):
        seen = shown(tiff(values, compression=compression, **colours))
        assert (seen[:, 0] == 0).all() and (seen[:, -1] == 255).all() and np.diff(seen[0, :, 0].astype(int)).min() >= 0


def test_16_bit_png_is_shown_over_its_range_in_grey_and_colour():
    assert shown(encoded(Image.fromarray(ramp(842, 1529, "u2"))))[3, 50].tolist() == [128, 128, 128]
    colours = ramp(842, 1529, "u2", 3)
    colours[..., 2] = 842
    seen = shown(png16(colours))
    assert seen[0, -1].tolist() == [255, 255, 0] and np.diff(seen[0, :, 0].astype(int)).min() >= 1


def png16(values):
    """Pillow writes no 16-bit colours, so the chunks are put together here."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    ends = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + ends


def test_what_is_no_number_is_black_and_infinities_lie_at_the_ends():
    values = ramp(14, 243, "f4")
    values[:5], values[6, 0], values[7, -1] = np.nan, np.inf, -np.inf
    seen = shown(tiff(values))[..., 0]
    assert (seen[:5] == 0).all() and (seen[10, 0], seen[10, -1], seen[6, 0], seen[7, -1]) == (0, 255, 255, 0)
    assert (shown(tiff(np.full((40, 100), np.nan, "f4"))) == 0).all()


def test_grey_with_opacity_and_several_bands_of_other_numbers():
    values = ramp(0, 100, "u1", 2)
    values[..., 1] = 0
    clear = {"planarconfig": "contig", "extrasamples": ["unassalpha"]}
    assert (shown(tiff(values, **clear)) == 255).all(), "nothing of it can be seen"
    for bands in (ramp(842, 1529, "u2", 4), ramp(1, 2, "f4", 4)):
        bands[..., 3] = 0
        seen = shown(tiff(bands, planarconfig="contig", photometric="rgb", extrasamples=["unspecified"]))
        assert seen[0, 99].tolist() == [255] * 3 and seen[0, 0].tolist() == [0] * 3, "a fourth band is no opacity"
    planes = np.stack([ramp(1, 2, "f4")] * 3)
    assert (shown(tiff(planes, photometric="rgb", planarconfig="separate"))[:, -1] == 255).all()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("five.tif", lambda: tiff(np.zeros((40, 100, 5), "u1"), planarconfig="contig"), "has 5 channels"),
        ("six.tif", lambda: tiff(np.zeros((40, 100, 6), "u1"), photometric="rgb"), "save the one or three of them"),
        ("slice.dcm", lambda: b"\0" * 128 + b"DICM" + b"\0" * 99, "is a DICOM file; save its slices"),
        ("a.jpg", lambda: b"\0" * 128 + b"DICM" + b"\0" * 99, "is a DICOM file"),
        ("a.nef", lambda: tiff(np.zeros((40, 100), "u1")), "raw file; develop it to JPEG or TIFF first"),
        ("a.tif", lambda: tiff(np.zeros((4, 10), "u2"), extratags=[(50706, "B", 4, (1, 4, 0, 0), True)]), "raw file"),
        ("a.cr3", lambda: b"\0\0\0\x18ftypcrx \0\0\0\0", "raw file"),
        ("a.heic", lambda: b"\0\0\0\x18ftypheic" + b"\0" * 100, "HEIC|damaged"),
        ("a.mp4", lambda: b"\0\0\0\x18ftypisom" + b"\0" * 100, "is a video"),
        ("a.tif", lambda: tiff(np.zeros((9, 9), "c8")), "numbers of a kind that cannot be shown"),
    ],
)
def test_what_is_known_and_no_photo_is_told_with_what_to_do(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content())
    with pytest.raises(PhotoError, match=f"^{name} .*({says}).*\\.$"):
        images.open(tmp_path / name)


def test_a_deflated_strip_that_unpacks_to_more_is_refused():
    content = tiff(np.zeros((40, 100), "f8"), compression="zlib")
    strip = zlib.compress(b"\0" * 32000)
    assert strip in content or len(content) < 5000
    bomb = zlib.compress(b"\0" * 10**7)
    at = content.index(b"\x78")
    forged = content[:at] + bomb + content[at:]
    with pytest.raises(PhotoError, match=r"\.$"):
        images.open(forged)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_photos_of_every_kind_are_turned_by_their_exif(photo, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    opened = np.asarray(images.open(encoded(photo.transpose(Image.Transpose.ROTATE_90), kind, exif=exif)), int)
    assert opened.shape == (40, 30, 3) and abs(opened - np.asarray(photo, int)).mean() < 8


def test_a_photo_of_a_telephone_in_heic_comes_in(photo):
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo.resize((60, 80))).save(buffer, quality=90)
    opened = images.open(buffer.getvalue())
    assert opened.size == (60, 80) and opened.getpixel((30, 10))[0] > 170 and opened.getpixel((30, 70))[2] > 170


def test_a_profile_is_brought_to_srgb_and_a_bad_one_says_nothing(photo):
    from PIL import ImageCms

    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (b"x" * 500, srgb, wide):
        assert np.array_equal(np.asarray(images.open(encoded(photo, icc_profile=profile))), np.asarray(photo))
    grey = Image.new("L", (4, 4), 128)
    assert images.open(encoded(grey, icc_profile=gamma(1.0))).getpixel((0, 0))[0] == pytest.approx(188, abs=2)
    lifted = images.open(encoded(Image.new("LA", (4, 4), (128, 255)), icc_profile=gamma(1.0)))
    assert lifted.getpixel((0, 0)) == (128, 128, 128), "a grey profile says nothing of colours"


def gamma(power):
    """A grey profile: version 2, one curve."""
    curve = b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(power * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    name = b"desc\0\0\0\0\0\0\0\5test\0".ljust(100, b"\0")
    tags, data, at = b"", b"", 128 + 4 + 3 * 12
    for kind, content in ((b"desc", name), (b"wtpt", white), (b"kTRC", curve)):
        tags += kind + struct.pack(">II", at + len(data), len(content))
        data += content
    size = at + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02100000, b"mntr", b"GRAY", b"XYZ ") + b"\0" * 12 + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", 3) + tags + data


def test_inks_are_the_same_with_and_without_adobes_marker():
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    adobes = encoded(inks, "JPEG", quality=100)
    at = adobes.index(b"\xff\xee")
    plain = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 255)), "JPEG", quality=100)
    plain = plain[:at] + plain[at + 2 + int.from_bytes(plain[at + 2 : at + 4], "big") :]
    for content in (adobes, plain):
        red, green, blue = images.open(content).getpixel((8, 8))
        assert red > 245 and green < 10 and blue < 10


def test_a_palette_with_transparency_is_laid_over_white():
    drawn = Image.new("P", (4, 4), 1)
    drawn.putpalette([0, 0, 0, 200, 0, 0])
    drawn.putpixel((0, 0), 0)
    opened = images.open(encoded(drawn, transparency=bytes([0, 255])))
    assert opened.getpixel((0, 0)) == (255, 255, 255) and opened.getpixel((1, 1)) == (200, 0, 0)


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    for kind in ("GIF", "PNG", "WEBP"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        red, green, blue = images.open(content).getpixel((4, 4))
        assert red > 200 and green < 60 and blue < 60 and pages.count(content) == (3, False)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_the_pages_of_a_tiff_are_photos_of_their_own_with_their_values(tmp_path, kind):
    values = np.stack([ramp(0, 100, kind), ramp(200, 30, kind)])
    values = np.repeat(values[..., None], 3, 3) if kind == "u2" else values
    (tmp_path / "scan.tif").write_bytes(tiff(values, photometric="rgb" if kind == "u2" else "minisblack"))
    assert pages.count(tmp_path / "scan.tif") == (2, True)
    content = pages.page(tmp_path / "scan.tif", 1)
    second = images.open(content)
    assert second.size == (100, 40) and second.getpixel((0, 0)) > second.getpixel((99, 0))
    if kind == "f4":
        with Image.open(io.BytesIO(content)) as stored:
            assert np.array_equal(np.asarray(stored), values[1])


def test_deep_photos_of_a_folder_are_shown_over_one_range_on_request(tmp_path):
    (tmp_path / "dark.tif").write_bytes(tiff(ramp(100, 200, "u2")))
    (tmp_path / "light.tif").write_bytes(tiff(ramp(100, 1100, "f8")))
    (tmp_path / "colour.png").write_bytes(png16(ramp(50, 60, "u2", 3)))
    noise = Image.effect_noise((20, 20), 90).convert("RGB")
    noise.save(tmp_path / "plain.png")
    (tmp_path / "torn.tif").write_bytes(b"II*\0")
    found = gather([tmp_path]).photos
    assert [images.value_span(one.path) for one in found[:4]] == [(50, 60), (100, 200), (100, 1100), None]
    span = common_span(found)
    assert span == (50, 1100)
    dark = found[1].open(span).getpixel((99, 0))[0]
    assert dark == round(150 / 1050 * 255) and found[1].open().getpixel((99, 0))[0] == 255
    assert np.array_equal(np.asarray(found[3].open(span)), np.asarray(noise)), "bytes are shown as they are"
    assert found[0].open(span).getpixel((99, 0)) == (2, 2, 2)
    assert common_span(found[3:]) is None
