import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from textseg import rle
from textseg.errors import DatasetError
from textseg.labelmap import LabelMap, index_png, read_index_png
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("cat, sofa")
masks = arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20)))


@given(masks)
def test_rle_gives_the_mask_back(mask):
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@given(arrays(np.uint16, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 400)))
def test_index_png_keeps_every_id(ids):
    assert np.array_equal(read_index_png(index_png(ids, ["#112233"] * 3)), ids)


def test_label_png_has_one_channel_in_the_class_colours():
    image = Image.open(io.BytesIO(LabelMap(np.array([[0, 1], [2, 2]], np.uint8), WORDS).to_png()))
    assert image.mode == "P"
    assert image.convert("RGB").getpixel((1, 0)) == (0xE6, 0x9F, 0x00)


def test_more_than_255_classes_are_16_bit_grey():
    words = Vocabulary.parse(",".join(f"w{i}" for i in range(300)))
    image = Image.open(io.BytesIO(LabelMap(np.zeros((2, 2), np.uint16), words).to_png()))
    assert image.mode == "I;16"


def test_a_colour_picture_is_no_label_map():
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    with pytest.raises(DatasetError, match="one-channel"):
        read_index_png(buffer.getvalue())


def test_areas_are_shares_of_the_photo():
    labels = LabelMap(np.array([[0, 1, 1, 1]], np.uint8), WORDS)
    assert labels.areas() == {0: 0.25, 1: 0.75, 2: 0.0}


def test_overlay_leaves_unlabelled_pixels_as_they_are():
    photo = Image.new("RGB", (2, 1), (10, 20, 30))
    painted = LabelMap(np.array([[0, 1]], np.uint8), WORDS).overlay(photo, opacity=1.0)
    assert painted.getpixel((0, 0)) == (10, 20, 30) and painted.getpixel((1, 0)) == (0xE6, 0x9F, 0x00)
