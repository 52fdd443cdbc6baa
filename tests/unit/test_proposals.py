"""The protocol: masks, the registry, prompts that make sense, and RLE of resized masks."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from textseg import rle
from textseg.errors import PromptError, UnknownNameError
from textseg.proposals import Mask, load_proposer, names, read_prompt
from textseg.proposals.resized import encode_resized

sides = st.integers(1, 24)


@given(st.data(), st.tuples(sides, sides), st.tuples(sides, sides))
@settings(max_examples=150, deadline=None)
def test_the_code_of_a_resized_mask_is_that_of_the_resized_array(data, small, large) -> None:
    # Sixteenths, so that no interpolated value falls within rounding of the threshold but off it.
    values = data.draw(arrays.arrays(np.int8, small, elements=st.integers(0, 16))).astype(np.float32) / 16
    tensor = torch.from_numpy(values.astype(np.float64))[None, None]
    expected = F.interpolate(tensor, large, mode="bilinear", align_corners=False)[0, 0].numpy()
    found = rle.decode(encode_resized(values, large))
    assert found.shape == large
    clear = np.abs(expected - 0.5) > 1e-5
    assert (found == (expected > 0.5))[clear].all()


@given(arrays.arrays(bool, st.tuples(sides, sides)))
@settings(deadline=None)
def test_without_resizing_the_code_is_the_usual_one(mask: np.ndarray) -> None:
    assert encode_resized(mask, mask.shape) == rle.encode(mask)


@given(st.data(), arrays.arrays(bool, st.tuples(sides, sides)))
@settings(deadline=None)
def test_fixed_pixels_are_inside_or_outside_and_no_other_pixel_changes(data, mask: np.ndarray) -> None:
    height, width = mask.shape
    pixel = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    fixed = data.draw(st.dictionaries(pixel, st.booleans(), max_size=6))
    expected = mask.copy()
    for (x, y), inside in fixed.items():
        expected[y, x] = inside
    found = encode_resized(mask, mask.shape, fixed=[(x, y, inside) for (x, y), inside in fixed.items()])
    assert (rle.decode(found) == expected).all()


@given(arrays.arrays(bool, st.tuples(sides, sides)))
@settings(deadline=None)
def test_a_mask_knows_its_area_and_box(array: np.ndarray) -> None:
    mask = Mask.from_array(array, 0.5)
    assert (mask.to_array() == array).all()
    assert mask.size == array.shape[::-1]
    assert mask.area == array.sum()
    rows, columns = np.flatnonzero(array.any(1)), np.flatnonzero(array.any(0))
    if len(rows):
        box = columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
        assert mask.bbox == box
    else:
        assert mask.bbox == (0, 0, 0, 0)


@settings(deadline=None)
@given(st.data(), arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_a_mask_is_read_at_single_pixels_as_if_unpacked(data, array: np.ndarray) -> None:
    rows, columns = (
        np.array(data.draw(st.lists(st.integers(0, side - 1), min_size=1, max_size=12))) for side in array.shape
    )
    assert (Mask.from_array(array, 1.0).sample(rows, columns) == array[np.ix_(rows, columns)]).all()


def test_an_unknown_proposer_is_refused_with_the_known_names() -> None:
    assert {"regions", "sam"} <= set(names())
    with pytest.raises(UnknownNameError, match="no proposer called 'magic'; choose one of .*regions"):
        load_proposer("magic")


REFUSED = {
    "nothing": ({}, "prompt is empty"),
    "left of the photo": ({"points": [(-1, 3, 1)]}, r"\(-1, 3\) lies outside the photo of 40 x 30"),
    "below the photo": ({"points": [(3, 30, 1)]}, "outside the photo"),
    "no number": ({"points": [(math.nan, 3, 1)]}, "outside the photo"),
    "two numbers": ({"points": [(3, 3)]}, "not .x, y, label. in numbers"),
    "words": ({"points": [("a", "b", 1)]}, "not .x, y, label. in numbers"),
    "another label": ({"points": [(3, 3, 7)]}, "label 7; use 1 for inside, -1 for outside"),
    "contradiction": ({"points": [(3, 3, 1), (3.4, 3.6, -1)]}, r"\(3, 3\) is marked both inside and outside"),
    "zero area": ({"box": (5, 5, 5, 20)}, "has no area"),
    "inside out": ({"box": (20, 5, 5, 20)}, "has no area"),
    "infinite": ({"box": (0, 0, math.inf, 20)}, "has no area"),
    "beyond": ({"box": (5, 5, 41, 20)}, "reaches outside the photo"),
    "half a box": ({"box": (5, 5, 9)}, "not .left, top, right, bottom. in numbers"),
    "another photo's mask": (
        {"previous": Mask.from_array(np.ones((3, 3), bool), 1)},
        "3 x 3 pixels, the photo 40 x 30",
    ),
}


@pytest.mark.parametrize(("prompt", "message"), REFUSED.values(), ids=REFUSED)
def test_a_prompt_that_makes_no_sense_is_refused_in_one_sentence(prompt: dict, message: str) -> None:
    with pytest.raises(PromptError, match=message) as refusal:
        read_prompt((40, 30), **prompt)
    assert "\n" not in str(refusal.value) and str(refusal.value).endswith(".")


def test_a_prompt_may_touch_every_border() -> None:
    prompt = read_prompt((40, 30), [(0, 0, 1), (39.9, 29.9, -1)], box=(0, 0, 40, 30))
    assert prompt.inside.tolist() == [[0, 0]]
    assert prompt.outside.tolist() == [[39, 29]]
    assert prompt.box == (0, 0, 40, 30)
