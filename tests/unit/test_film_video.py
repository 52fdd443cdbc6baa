"""The frames of a video file, by time."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.films import claiming, needs_av, noise, turned, write_growing, write_sound, write_video
from tests.label_maps import make_project
from textseg import images
from textseg.errors import FilmError, UsageError
from textseg.film import boxes
from textseg.film.intake import seconds, take
from textseg.film.video import PIECE, Effort, Video, upright
from textseg.project.allowance import DECODED, Allowance

pytestmark = needs_av


def read(path, every=0.5):
    video = Video(path)
    return video, list(video.frames(every))


def test_frames_come_by_time_with_their_number_in_the_video(tmp_path):
    _, frames = read(write_video(tmp_path / "a.mp4", noise(25)))
    assert [(frame.number, frame.at) for frame in frames] == [(0, 0.0), (5, 0.5), (10, 1.0), (15, 1.5), (20, 2.0)]
    assert frames[0].picture.size == (64, 48) and frames[0].picture.mode == "RGB"


def test_no_frame_is_given_twice_where_a_video_has_fewer(tmp_path):
    _, frames = read(write_video(tmp_path / "a.mp4", noise(5), rate=2), every=0.1)
    assert [frame.at for frame in frames] == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_telephones_video_is_turned_upright(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 255  # top left, which is top right when turned clockwise
    path = write_video(tmp_path / "a.mp4", [picture] * 3)
    turned(path)
    _, (frame,) = read(path)
    assert frame.picture.size == (48, 64)
    pixels = np.asarray(frame.picture.convert("L"))
    assert pixels[4, -4] > 200 and pixels[4, 4] < 50 and pixels[-4, -4] < 50


@pytest.mark.parametrize(("degrees", "size"), [(44, (64, 48)), (-91, (48, 64)), (180, (64, 48)), (-180, (64, 48))])
def test_a_frame_is_turned_by_whole_quarters(degrees, size):
    frame = SimpleNamespace(rotation=degrees, to_image=lambda: Image.new("RGB", (64, 48)))
    assert upright(frame, None).size == size


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mkv", "ffv1", "yuv422p10le"), ("a.avi", "mjpeg", "yuvj420p"), ("a.mov", "png", "rgb24"),
     ("a.mpg", "mpeg2video", "yuv420p"), ("a.mkv", "rawvideo", "gray")],
)  # fmt: skip
def test_odd_codecs_give_8_bit_rgb(tmp_path, name, codec, pixels):
    picture = np.full((48, 64, 3), 200, np.uint8)
    _, frames = read(write_video(tmp_path / name, [picture] * 26, rate=25, codec=codec, pixels=pixels))
    assert [round(frame.at, 1) for frame in frames][:2] == [0.0, 0.5]
    assert abs(int(np.asarray(frames[-1].picture)[20, 20, 0]) - 200) < 6


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    _, (frame,) = read(write_video(tmp_path / "a.mkv", noise(3), aspect=(2, 1)))
    assert frame.picture.size == (128, 48)


def test_a_video_that_would_be_too_large_once_its_pixels_are_square_is_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", noise(3), aspect=(3, 1))
    monkeypatch.setattr(images, "MAX_PIXELS", 9_000)
    with pytest.raises(FilmError, match="a.mkv is too large: 192 x 48 pixels"):
        Video(path)


@pytest.mark.parametrize("larger_from", [0, 1])
def test_a_decoder_makes_no_room_for_a_frame_that_is_larger_than_its_video_says(tmp_path, monkeypatch, larger_from):
    path = write_growing(tmp_path / "a.mov", noise(6), larger_from)
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48)
    video = Video(path)
    if larger_from:
        assert len(list(video.frames(1000.0))) == 1 and video.lost >= 1
    else:
        with pytest.raises(FilmError, match="no frame of it can be decoded"):
            list(video.frames(1000.0))


def test_a_frame_that_would_be_too_large_once_its_pixels_are_square_is_not_made(tmp_path, monkeypatch):
    video = Video(write_video(tmp_path / "a.mkv", noise(3, 320, 240), aspect=(3, 1)))
    monkeypatch.setattr(images, "MAX_PIXELS", 200_000)  # a decoder makes more room than a frame has
    with pytest.raises(FilmError, match="a.mkv is too large: 960 x 240"):
        list(video.frames(0.1))


def test_a_torn_video_gives_what_comes_before_and_says_where_it_breaks_off(tmp_path):
    path = write_video(tmp_path / "a.mkv", noise(60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video, frames = read(path)
    assert 3 <= len(frames) <= 7 and 1.5 < video.broke < 4


def test_a_damaged_piece_is_left_out_and_counted(tmp_path):
    path = write_video(tmp_path / "a.mkv", noise(60))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    video, frames = read(path)
    assert len(frames) >= 10 and video.lost >= 1 and video.broke is None


def test_somebody_who_stops_it_waits_for_no_frame_that_is_taken(tmp_path):
    video, asked = Video(write_video(tmp_path / "a.mkv", noise(60))), []
    frames = list(video.frames(1000.0, cancel=lambda: asked.append(1) or len(asked) > 5))
    assert video.cancelled and len(frames) == 1 and len(asked) == 6


def test_equal_frames_without_an_end_are_decoded_no_longer_than_they_may_be(tmp_path):
    path, effort = write_video(tmp_path / "a.mkv", noise(1) * 60), Effort(20 * (64 * 48 + PIECE))
    video = Video(path)
    assert len(list(video.frames(1000.0, effort=effort))) == 1
    assert 1.5 < video.given_up < 2.5 and video.broke is None
    again = Video(path)
    assert list(again.frames(1.0, effort=effort)) == [] and again.given_up == 0.0


def test_a_project_of_bounded_size_takes_of_a_video_what_may_be_decoded_for_it_and_says_so(tmp_path):
    project = make_project(tmp_path / "p", ["cat"], {})
    project.allowance = Allowance(photos=40, pixels=20 * (64 * 48 + PIECE) // DECODED)
    (tmp_path / "films").mkdir()
    write_video(tmp_path / "films" / "a.mkv", noise(1) * 60)
    write_video(tmp_path / "films" / "b.mkv", noise(1) * 60)
    one, two = take(project, tmp_path / "films", every=1.0)
    assert (one.there, two.there) == (2, 0)
    assert re.match(r"a.mkv is taken up to [12]\.\d s: more is not decoded", one.notes[0])
    assert two.notes[0].startswith("b.mkv is taken up to 0.0 s")
    project.close()


@pytest.mark.parametrize(
    "content", [b"", b"no video", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", b"ffconcat version 1.0\nfile a.mp4\n"]
)
def test_what_is_no_video_is_one_sentence_and_no_other_file_is_opened(tmp_path, content):
    write_video(tmp_path / "a.mp4", noise(3))
    (tmp_path / "b.mp4").write_bytes(content)
    with pytest.raises(FilmError, match="b.mp4 is torn, or no video that can be read"):
        read(tmp_path / "b.mp4")


@pytest.mark.parametrize("table", [b"stsz", b"stts", b"trun", b"cmov"])
def test_tables_that_name_more_pieces_than_a_film_has_are_refused_before_room_is_made_for_them(tmp_path, table):
    path = claiming(write_growing(tmp_path / "a.mov", noise(2), 2), table, boxes.MOST + 1)
    with pytest.raises(FilmError, match="a.mov names more pieces than a film has"):
        Video(path)


def test_a_long_film_with_uncompressed_sound_is_none_of_those(tmp_path, monkeypatch):
    path = write_sound(tmp_path / "a.mov", noise(10), seconds=20)
    assert 0 < boxes.pieces(path) < 20 * 48_000 / 100
    monkeypatch.setattr(boxes, "MOST", boxes.pieces(path))
    assert Video(path).seconds == 1.0


def test_without_pyav_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(FilmError, match=r"pip install 'textseg\[film\]'"):
        Video(tmp_path / "a.mp4")


def test_a_file_is_known_whatever_it_is_called(tmp_path):
    one = write_video(tmp_path / "a.mp4", noise(3))
    two = tmp_path / "b.mp4"
    two.write_bytes(one.read_bytes())
    assert Video(one).source == Video(two).source != Video(write_video(tmp_path / "c.mp4", noise(4))).source


@pytest.mark.parametrize(("text", "value"), [("0.5s", 0.5), ("500ms", 0.5), ("2", 2.0), ("1min", 60.0), ("1 s", 1.0)])
def test_a_time_between_frames_is_read(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "-1s", "0", "nan", "1h", "1e9", "5 frames"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="no time between two frames"):
        seconds(text)
