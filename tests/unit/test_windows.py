"""A window onto a huge photo: what it shows of the label map, and what is done in it to the photo's own pixels."""

import numpy as np
import pytest

from tests.tiny import noise_photo
from textseg import images, rle
from textseg.errors import EditError
from textseg.project import Project, Region, operations
from textseg.project.windows import Window
from textseg.vocabulary import Vocabulary

SIZE = (700, 600)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """One photo that counts as huge, of which a fifth may be changed at once."""
    noise_photo(*SIZE, seed=1).save(tmp_path / "huge.png")
    project = Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa"))
    project.add([tmp_path / "huge.png"])
    monkeypatch.setattr(images, "MAX_PIXELS", 100_000)
    monkeypatch.setattr(operations, "MOST_AT_ONCE", 90_000)
    yield project
    project.close()


def paint(project, **operation):
    return project.edit(1, project.photo(1).revision, operation)


def test_a_window_shows_the_middle_of_each_of_its_cells(project):
    paint(project, type="polygon", points=[[250, 250], [262, 250], [262, 262], [250, 262]], **{"class": 2})
    whole, _ = project.label_map(1)
    box, corner = (200, 230, 300, 290), (690, 500, 700, 600)
    for window in (Window(box, 1), Window(box, 4), Window((0, 0, *SIZE), 7), Window(corner, 3)):
        (ids,), revision = project.label_windows(1, [window])
        xs, ys = window.seen
        assert revision == 1 and ids.shape == (len(ys), len(xs)) == window.size[::-1]
        assert np.array_equal(ids, whole[ys[:, None], xs])


def test_what_a_change_shows_in_a_window_is_what_the_window_shows_after_it(project):
    window = Window((100, 100, 400, 380), 8)
    (shown,), _ = project.label_windows(1, [window])
    for points in ([[90, 200], [300, 210]], [[399, 379]], [[500, 500]]):
        result = paint(project, type="brush", points=points, radius=20, **{"class": 1})
        (x0, y0, x1, y1), ids = window.of(result.box, result.ids)
        shown[y0:y1, x0:x1] = ids
        assert np.array_equal(shown, project.label_windows(1, [window])[0][0])


def test_a_mask_of_a_windows_cells_becomes_the_photos_pixels(project):
    window = Window((100, 50, 400, 350), 4)
    mask = np.zeros(window.size[::-1], bool)
    mask[10:30, 20:50] = True
    sent = {"box": list(window.box), "step": 4}
    result = paint(project, type="region", rle=rle.encode(mask), window=sent, **{"class": 1})
    ids = project.label_map(1)[0]
    assert abs(result.changed - 16 * mask.sum()) < 40  # corners are rounded
    assert ids[50 + 40 : 50 + 120, 100 + 80 : 100 + 200].mean() > 0.99
    paint(project, type="undo")
    assert not project.label_map(1)[0].any()


def test_fill_relabel_and_accept_stay_in_the_window(project):
    window = {"box": [100, 100, 300, 300], "step": 1}
    paint(project, type="fill", point=[150, 160], window=window, **{"class": 1})
    paint(project, type="relabel", **{"from": 1, "to": 2}, window={"box": [250, 0, 400, 200], "step": 1})
    ids = project.label_map(1)[0]
    assert (ids == 2).sum() == 50 * 100 and (ids == 1).sum() == 200 * 200 - 50 * 100
    model = Window((400, 100, 500, 200), 2)
    project.put_model_labels(1, np.ones((50, 50), int), [Region(1, 0.9)], "head", window=model)
    assert project.label_map(1)[0][100:200, 400:500].all()
    paint(project, type="accept", window={"box": [400, 100, 500, 150], "step": 1})
    kinds = {row.kind: pixels for row, pixels in project.shares(1)}
    assert kinds["model"] == kinds["accepted"] == 5_000


def test_a_gesture_over_more_of_a_huge_photo_than_memory_is_meant_for_is_refused_in_one_sentence(project):
    corners = [[0, 0], [700, 0], [700, 600], [0, 600]]
    for operation in (
        {"type": "polygon", "class": 1, "points": corners},
        {"type": "brush", "class": 1, "points": [[0, 0], [700, 600]], "radius": 5},
        {"type": "fill", "class": 1, "point": [5, 5]},
    ):
        with pytest.raises(EditError, match="zoom in"):
            paint(project, **operation)
    assert project.photo(1).revision == 0


@pytest.mark.parametrize("window", [7, {}, {"box": [0, 0, 9]}, {"box": [0, 0, "9", 9]}, {"box": [800, 0, 900, 9]},
                                    {"box": [0, 0, 9, 9], "step": 0}, {"box": [0, 0, 9, 9], "step": 1.5}])  # fmt: skip
def test_a_window_that_is_none_is_refused_in_one_sentence(project, window):
    with pytest.raises(EditError, match="window"):
        paint(project, type="fill", point=[1, 1], window=window, **{"class": 1})


def test_a_step_far_larger_than_the_photo_makes_no_more_than_the_photo(project):
    window = Window((0, 0, 200, 100), 2**16)
    box, cells = window.around(np.ones((1, 1), bool))
    assert window.enlarged(cells, box).shape == (100, 200)
    sent = {"box": list(window.box), "step": window.step}
    result = paint(project, type="region", rle=rle.encode(np.ones((1, 1), bool)), window=sent, **{"class": 1})
    assert result.changed == 200 * 100


def test_a_mask_of_more_cells_than_are_changed_at_once_is_not_decoded(project):
    code = rle.encode(np.eye(600, 700, dtype=bool))
    with pytest.raises(EditError, match="zoom in"):
        paint(project, type="region", rle=code, window={"box": [0, 0, *SIZE], "step": 1}, **{"class": 1})
