import io

import numpy as np
import pytest
from PIL import Image

from textseg import images
from textseg.errors import PhotoError


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
    monkeypatch.setattr(images, "BAND", 7)
    assert np.array_equal(np.asarray(images.open(content)), whole)
