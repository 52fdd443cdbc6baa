"""What travels to the page is exact."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from tests.tiny import noise_photo, tiny_model
from textseg.labelmap import LabelMap
from textseg.model import others
from textseg.proposals import Mask
from textseg.pseudolabel import LabelledRegion, PseudoLabels
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary
from textseg.web.rpc import pictures


def read(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


@settings(deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda c: arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(c)))
    )
)
def test_a_raster_is_a_png_that_others_read_alike(planes):
    assert (read(pictures._png(planes)).reshape(planes.shape) == planes).all()


@settings(deadline=None)
@given(st.integers(1, 255), st.integers(0, 255))
def test_a_threshold_level_means_the_same_pixels_as_its_similarity(level, score):
    similarity = np.float32(score / 255)
    assert (similarity >= np.float32(pictures.threshold_of(level))) == (score >= level)


def test_level_zero_is_no_threshold():
    assert pictures.threshold_of(0) == 0


@pytest.mark.parametrize("words", [3, 300])
def test_labels_travel_at_the_shown_size_whatever_the_number_of_words(words):
    ids = np.random.default_rng(0).integers(0, words + 1, (60, 3200)).astype(np.uint8 if words < 256 else np.uint16)
    labels = LabelMap(ids, Vocabulary.from_names([f"w{k}" for k in range(words)]), {}, (ids & 255).astype(np.uint8))
    sent = pictures._labels(labels)
    planes = read(sent["png"])
    assert sent["size"] == [1600, 30] and planes.shape[:2] == (30, 1600)
    got = planes[..., 0].astype(int) + (planes[..., 1].astype(int) << 8 if words > 255 else 0)
    assert (got == ids[1::2, 1::2]).all() and (planes[..., -1] == (ids & 255)[1::2, 1::2]).all()


def test_the_grid_keeps_similarities_to_half_a_level():
    similarity = np.random.default_rng(1).normal(0.2, 0.2, (4, 5, 6)).astype(np.float32)
    sent = pictures._grid(similarity)
    levels = read(sent["png"]).reshape(similarity.shape)
    span = sent["high"] - sent["low"]
    np.testing.assert_allclose(sent["low"] + span * levels / 255, similarity, atol=span / 255)


def test_masks_travel_as_the_cells_they_hold():
    random = np.random.default_rng(3)
    arrays_ = [random.random((30, 40)) < share for share in (0.7, 0.4, 0.2)]
    scores = np.array([0.1, 0.3])
    other = ("snow", 0.25)
    regions = [LabelledRegion(Mask.from_array(a, 1.0), 2, 0.8, 0.6, scores, other) for a in arrays_]
    sent = pictures.masks(PseudoLabels(regions[::-1], Vocabulary.from_names(["a", "b"]), (40, 30)))
    cells = read(sent["cells"]["png"])
    for array, mask in zip(arrays_, sent["masks"], strict=True):
        assert (np.isin(cells, mask["cells"]) == array).all()
        assert mask["scores"][0][0] == mask["word"] == 2 and mask["other"] == ["snow", 0.25]


def test_a_photo_without_masks_is_one_cell():
    sent = pictures.masks(PseudoLabels([], Vocabulary.from_names(["a"]), (40, 30)))
    assert sent["masks"] == [] and sent["cells"]["count"] == 1


@pytest.mark.parametrize("count", [7, 700])
def test_a_partition_reads_back(count):
    ids = np.arange(40 * 50).reshape(40, 50) % count
    sent = pictures.partition(ids)
    planes = read(sent["png"]).reshape(40, 50, -1).astype(int)
    assert sent["count"] == count
    assert (planes[..., 0] + (planes[..., 1] << 8 if count > 256 else 0) == ids).all()


def test_words_that_nobody_typed_are_on_the_same_scale_and_not_cut_off():
    model = tiny_model()
    scene, vocabulary = model.encode(noise_photo()), Vocabulary.from_names(["zebra"])
    rest = others.of(model, ["snow", "ski", "lamp"])
    labels = segment(scene, vocabulary, others=["snow", "ski", "lamp"])
    sent = pictures.answer(scene, vocabulary, labels, None, rest)
    best = scene.similarity(Vocabulary.from_names(["snow", "ski", "lamp"])).max(0)
    low, high = sent["grid"]["low"], sent["grid"]["high"]
    score = read(sent["rest"]["png"]).reshape(*scene.grid, 3)[..., 2]
    np.testing.assert_allclose(low + (high - low) * score / 255, best, atol=(high - low) / 255)
