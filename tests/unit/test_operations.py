import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textseg import rle
from textseg.errors import EditError
from textseg.project import operations

SIZE = (40, 30)
coordinate = st.floats(-20, 60, allow_nan=False)
line = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5)


def whole(box, mask):
    """The mask at the photo's size."""
    full = np.zeros((SIZE[1], SIZE[0]), bool)
    full[box[1] : box[3], box[0] : box[2]] = mask
    return full


@settings(deadline=None)
@given(line, st.floats(0.1, 15))
def test_a_brush_paints_the_pixels_whose_centres_lie_within_the_radius_of_the_polyline(points, radius):
    naive = np.zeros((SIZE[1], SIZE[0]), bool)
    pieces = list(zip(points, points[1:], strict=False)) or [(points[0], points[0])]
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            p = np.array([x + 0.5, y + 0.5])
            for a, b in ((np.array(a), np.array(b)) for a, b in pieces):
                length = (b - a) @ (b - a)
                t = np.clip((p - a) @ (b - a) / length, 0, 1) if length > 1e-12 else 0.0
                distance = np.linalg.norm(p - a - t * (b - a))
                naive[y, x] |= distance <= radius
    # Exactly on the edge the two ways of rounding may differ.
    assert (whole(*operations.brush(points, radius, SIZE)) != naive).sum() <= 1


def test_a_tap_paints_a_disc():
    box, mask = operations.brush([[10, 10]], 3, SIZE)
    assert box == (7, 7, 13, 13) and mask.sum() == 32


def test_a_polygon_paints_the_pixels_whose_centres_lie_inside():
    assert whole(*operations.polygon([[2, 2], [8, 2], [8, 6], [2, 6]], SIZE)).sum() == 24


def test_a_stroke_outside_the_photo_paints_nothing():
    assert not operations.brush([[-50, -50], [-40, -60]], 3, SIZE)[1].any()
    assert not operations.polygon([[90, 90], [99, 90], [95, 99]], SIZE)[1].any()


def test_fill_stays_inside_the_connected_pixels_of_one_class():
    ids = np.zeros((5, 5), np.uint16)
    ids[:, 2] = 1
    assert operations.fill([0, 0], ids).sum() == 10


def test_a_region_must_be_a_code_of_the_photos_size():
    mask = np.zeros((30, 40), bool)
    mask[3:9, 4:20] = True
    assert np.array_equal(operations.region(rle.encode(mask), SIZE), mask)
    for forged in (
        rle.encode(mask[:5]),
        {"size": [30, 40], "counts": [5, 10**9]},
        {"size": [30, 40], "counts": "\x00not a code"},
        {"size": [30, 40], "counts": rle.encode(mask)["counts"][:-1] + "o"},
        {"size": [30, 40], "counts": rle.encode(mask)["counts"][:-1]},
        {"size": "x"},
        {"size": 5, "counts": "1"},
        {"size": [True, 40], "counts": "1"},
        {},
    ):
        with pytest.raises(EditError):
            operations.region(forged, SIZE)


@pytest.mark.parametrize(
    "points",
    [[], [[1]], [["a", "b"]], [[float("nan"), 1]], [[float("inf"), 1]], [[10**400, 1]], None, [[1, 2]] * 20_001],
)
def test_points_that_are_no_points_are_refused(points):
    with pytest.raises(EditError):
        operations.brush(points, 3, SIZE)


@pytest.mark.parametrize("radius", [0, -1, float("nan"), float("inf"), "3", None, 1e9, 10**400])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(EditError):
        operations.brush([[1, 1]], radius, SIZE)
