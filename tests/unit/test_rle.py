"""COCO run-length codes: ours agree with pycocotools, and forged ones are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco

from textseg import rle
from textseg.errors import DatasetError

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@given(mask=MASKS)
def test_a_code_paints_the_mask_it_was_made_of(mask):
    height, width = mask.shape
    for code in (rle.encode(mask), {"size": [height, width], "counts": _listed(mask)}):
        flat = np.zeros(mask.size, np.int32)
        covered = rle.paint(flat, rle.runs(code, (width, height), "here"), 7)
        assert covered == 0
        assert np.array_equal(flat.reshape(width, height).T == 7, mask)


@given(mask=MASKS, other=MASKS)
def test_covered_pixels_of_other_classes_are_counted(mask, other):
    height, width = min(mask.shape[0], other.shape[0]), min(mask.shape[1], other.shape[1])
    mask, other = mask[:height, :width], other[:height, :width]
    flat = np.zeros(mask.size, np.int32)
    rle.paint(flat, rle.runs(rle.encode(mask), (width, height), ""), 1)
    assert rle.paint(flat, rle.runs(rle.encode(other), (width, height), ""), 2) == int((mask & other).sum())


@given(mask=MASKS)
def test_area_box_and_samples_agree_with_the_mask(mask):
    code = rle.encode(mask)
    packed = {"size": code["size"], "counts": code["counts"].encode()}
    assert rle.area(code) == mask.sum()
    assert list(rle.bbox(code)) == coco.toBbox(packed).tolist()
    rows, columns = np.arange(mask.shape[0])[::2], np.arange(mask.shape[1])[::3]
    assert np.array_equal(rle.sample(code, rows, columns), mask[::2, ::3])


def test_long_runs_and_many_runs_agree_with_pycocotools():
    mask = np.zeros((600, 400), bool)
    mask[100:590, 30:399] = True
    mask[::7, ::3] ^= True
    assert np.array_equal(rle.runs(rle.encode(mask), (400, 600), "")[1::2].sum(), mask.sum())
    flat = np.zeros(mask.size, np.int32)
    rle.paint(flat, rle.runs(rle.encode(mask), (400, 600), ""), 1)
    assert np.array_equal(flat.reshape(400, 600).T, coco.decode(coco.encode(np.asfortranarray(mask, np.uint8))))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ({"size": [4, 5], "counts": [10, 11]}, "overruns the photo: 21 pixels instead of 20"),
        ({"size": [4, 5], "counts": [10, 2]}, "falls short"),
        ({"size": [4, 5], "counts": [25, -5]}, "negative run -5"),
        ({"size": [5, 4], "counts": [10, 10]}, r"size is \[5, 4\] but the photo is \[4, 5\]"),
        ({"size": [4, 5], "counts": [10, 10.0]}, "must be text or a list of whole numbers"),
        ({"size": [4, 5], "counts": [2**70, 3]}, "must be text or a list"),
        ({"size": [4, 5], "counts": "é"}, "not a COCO run-length code"),
        ({"size": [4, 5], "counts": "P"}, "not a COCO run-length code"),
        ({"size": [4, 5], "counts": "oooooooooooo0"}, "holds a run that no photo has"),
        ({"size": [4, 5], "counts": ""}, "falls short"),
        ({"counts": [20]}, "size is None"),
        ({"size": 5, "counts": [20]}, "size is 5"),
        ({"size": [4, 5.5], "counts": [20]}, "two whole numbers"),
        ({"size": [4, True], "counts": [20]}, "two whole numbers"),
        ({"size": [4, -5], "counts": [20]}, "two whole numbers"),
        ({"size": [4, 5], "counts": "4o"}, "not a COCO run-length code"),
        ([1, 2], "must be an object"),
    ],
)
def test_a_forged_code_is_refused_by_field_and_value(code, says):
    with pytest.raises(DatasetError, match=says) as refused:
        rle.runs(code, (5, 4), "a.json: annotations[3].segmentation")
    assert str(refused.value).startswith("a.json: annotations[3].segmentation")


@given(counts=st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=40))
def test_no_text_at_all_gets_past_the_check(counts):
    try:
        runs = rle.runs({"size": [4, 5], "counts": counts}, (5, 4), "")
    except DatasetError:
        return
    assert runs.sum() == 20 and runs.min() >= 0


def _listed(mask):
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    return np.diff(changes, prepend=0, append=flat.size).tolist()
