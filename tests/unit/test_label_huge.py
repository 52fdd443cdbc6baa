"""The server side of the pages for a huge photo: what travels is cut to windows, and nobody reads it whole."""

import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradio.data_classes import DataWithFiles
from PIL import Image

from tests.tiny import noise_photo, tiny_model
from textseg import images
from textseg.errors import EditError, PhotoError
from textseg.project import Project
from textseg.project.schema import StoredPhoto
from textseg.project.windows import Window
from textseg.vocabulary import Vocabulary
from textseg.web import huge
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.nouns import Nouns
from textseg.web.pages.explore import Explore
from textseg.web.pages.label import Label

tifffile = pytest.importorskip("tifffile")
WIDTH, HEIGHT = 900, 700
WINDOW = {"box": [300, 200, 500, 360], "step": 2}


@pytest.fixture
def label(tmp_path, monkeypatch):
    """The Label page on a project with one photo that counts as huge, and whose whole is seen at a fifth."""
    monkeypatch.setattr(images, "MAX_PIXELS", 200_000)
    monkeypatch.setattr(huge, "WHOLE_SIDE", 180)
    tifffile.imwrite(tmp_path / "huge.tif", np.asarray(noise_photo(WIDTH, HEIGHT)), tile=(128, 128), photometric="rgb")
    project = Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa"))
    assert project.add([tmp_path / "huge.tif"]).added == ["huge.tif"]
    engine = Engine()
    engine._model = tiny_model()
    engine._settled.set()
    yield Label(ProjectApi(project, engine), engine)
    project.close()


def picture(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def ids_of(text):
    return np.asarray(picture(text.removeprefix("data:image/png;base64,")))


def edit(label, operation, *windows):
    revision = label.api.project.photo(1).revision
    return label.edit({"photo": 1, "base_revision": revision, "operation": operation, "windows": list(windows)})


def test_it_opens_whole_at_a_coarse_step_and_its_windows_finely(label):
    opened = label.open({"photo": 1})
    assert opened["size"] == [WIDTH, HEIGHT] and opened["whole"] == {"box": [0, 0, WIDTH, HEIGHT], "step": 5}
    assert picture(opened["jpeg"]).size == ids_of(opened["labels"][0]).shape[::-1] == (180, 140)
    seen = label.window({"photo": 1, "window": WINDOW})
    assert picture(seen["jpeg"]).size == ids_of(seen["labels"][0]).shape[::-1] == (100, 80)
    file = np.asarray(noise_photo(WIDTH, HEIGHT).crop(WINDOW["box"]).resize((100, 80), Image.Resampling.BOX), int)
    assert np.abs(np.asarray(picture(seen["jpeg"]), int) - file).mean() < 8


def test_an_edit_answers_each_window_with_what_it_shows_of_it(label):
    whole = label.open({"photo": 1})["whole"]
    stroke = {"type": "brush", "class": 2, "radius": 30, "points": [[280, 300], [420, 300]]}
    answer = edit(label, stroke, whole, WINDOW)
    assert answer["revision"] == 1 and answer["box"] == [250, 270, 450, 330]
    after = label.label_map({"photo": 1, "windows": [whole, WINDOW]})
    for patch, text in zip(answer["patches"], after["labels"], strict=True):
        shown = ids_of(text)
        (x0, y0, x1, y1), put = patch["box"], np.zeros_like(shown)
        put[y0:y1, x0:x1] = ids_of(patch["png"])
        assert put.any() and np.array_equal(put, shown)
    assert (label.api.project.label_map(1)[0] == 2).sum() == answer["changed_pixels"]


def test_an_undo_over_more_than_an_answer_holds_still_shows_in_the_windows(label, monkeypatch):
    edit(label, {"type": "polygon", "class": 1, "points": [[100, 100], [800, 100], [800, 600]]})
    monkeypatch.setattr("textseg.project.raster.AT_ONCE", 50_000)
    monkeypatch.setattr("textseg.project.raster.BLOCK", 256)
    monkeypatch.setattr("textseg.project.log.MAX_ANSWER", 10_000)
    answer = edit(label, {"type": "relabel", "from": 1, "to": 2}, WINDOW)
    assert (answer["patches"][0]["box"], answer["revision"]) == ([0, 0, 100, 80], 2)
    assert set(np.unique(ids_of(answer["patches"][0]["png"]))) == {0, 2}


def test_clicks_are_asked_in_pixels_and_answered_in_the_cells_of_the_window(label):
    masks = label.prompt({"photo": 1, "points": [[330, 220, 1]], "window": WINDOW})["masks"]
    assert masks and masks[0]["window"] == WINDOW and masks[0]["rle"]["size"] == [80, 100]
    left, top, right, bottom = masks[0]["box"]
    assert 300 <= left <= 330 <= right <= 500 and 200 <= top <= 220 <= bottom <= 360
    assert label.hierarchy({"photo": 1, "x": 330, "y": 220, "window": WINDOW})["masks"]
    answer = edit(label, {"type": "region", "class": 1, "rle": masks[0]["rle"], "window": WINDOW}, WINDOW)
    assert answer["changed_pixels"] == pytest.approx(masks[0]["area"], rel=0.2)


def test_the_model_labels_what_the_window_shows(label, monkeypatch):
    monkeypatch.setattr("textseg.model.others.of", lambda *_, **__: None)  # words mean nothing to a random model
    view = label.model_view({"photo": 1, "window": WINDOW})
    assert view["labels"]["size"] == [100, 80]
    answer = label.pseudolabel({"photo": 1, "levels": {}, "window": WINDOW, "windows": [WINDOW]})
    ids = label.api.project.label_map(1)[0]
    assert answer["changed_pixels"] == np.count_nonzero(ids) == np.count_nonzero(ids[200:360, 300:500]) > 0


def test_a_window_that_shows_more_than_a_page_does_is_refused():
    with pytest.raises(EditError, match="at most 2048 cells"):
        huge.window({"box": [0, 0, 5000, 10], "step": 1}, StoredPhoto(width=9000, height=9000))


def test_explore_takes_a_part_of_it_as_a_photo_of_its_own(label):
    page = Explore(label.api._engine, Nouns(), label.api)
    opened = page.open({"huge": 1, "box": [100, 50, 500, 350]})
    assert opened["size"] == [400, 300] and opened["huge"]["size"] == [WIDTH, HEIGHT]
    assert opened["huge"]["words"] == "cat, sofa"
    answer = page.answer({"photo": opened["photo"], "words": "cat, dog", "options": {"others": "none"}})
    assert answer["labels"]["size"] == [400, 300]
    for box in (None, [1], [5000, 0, 6000, 9]):
        with pytest.raises(EditError, match="window"):
            page.open({"huge": 1, "box": box})


def test_a_visitor_whose_photo_takes_long_to_open_holds_up_nobody_who_looks_at_another_one(label, tmp_path):
    tifffile.imwrite(tmp_path / "b.tif", np.asarray(noise_photo(WIDTH, HEIGHT, 2)), tile=(128, 128), photometric="rgb")
    project = label.api.project
    project.add([tmp_path / "b.tif"])
    slow, quick = project.photo("b.tif"), project.photo(1)
    begun, go_on = threading.Event(), threading.Event()

    class Slowly:
        def __getattr__(self, name):
            return getattr(project, name)

        def pyramid(self, key):
            begun.set()
            assert go_on.wait(30)
            return project.pyramid(key)

    photos, seen = huge.HugePhotos(), Window.read(WINDOW, (WIDTH, HEIGHT))
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(photos.picture, Slowly(), slow, seen)
        assert begun.wait(30)
        try:
            assert pool.submit(photos.picture, project, quick, seen).result(30).size == seen.size
        finally:
            go_on.set()
        assert waiting.result(30).size == seen.size


def test_a_photo_that_changes_while_it_is_held_open_is_told(label, tmp_path):
    label.window({"photo": 1, "window": WINDOW})
    path = tmp_path / "huge.tif"
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(PhotoError, match="huge.tif was changed since it was added"):
        label.window({"photo": 1, "window": WINDOW})
    with pytest.raises(PhotoError):
        label.open({"photo": 1})


def test_a_changed_photo_that_was_seen_before_opens_with_its_labels_and_a_sentence(label, tmp_path):
    assert "problem" not in label.open({"photo": 1})
    with (tmp_path / "huge.tif").open("ab") as file:
        file.write(b"more")
    opened = label.open({"photo": 1})
    assert opened["labels"] and "huge.tif was changed since it was added" in opened["problem"]


def test_photos_that_are_only_read_by_windows_are_added_on_the_page(label, tmp_path):
    noise_photo(64, 48, 3).save(tmp_path / "field.jp2")
    content = (tmp_path / "field.jp2").read_bytes()
    form = DataWithFiles(data={"name": "field.jp2"}, files=[("field.jp2", content)])
    assert label.add_photos(form)["added"] == ["field.jp2"]


def test_a_photo_whose_file_is_gone_is_told_in_one_sentence(label):
    label.api.project.original(label.api.project.photo(1)).unlink()
    with pytest.raises(PhotoError, match="does not exist"):
        label.window({"photo": 1, "window": WINDOW})
    assert label.thumbs({"photos": [1]}) == {"thumbs": {"1": None}}
