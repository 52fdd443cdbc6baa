"""Regions: a hierarchy of superpixels, and masks that honour what was clicked."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from textseg.errors import Cancelled, PhotoError, PromptError
from textseg.proposals import Mask, load_proposer
from textseg.proposals.regions import RegionProposals

WIDTH, HEIGHT = 120, 90
BLOB = (np.hypot(*(np.indices((HEIGHT, WIDTH)) - np.array([45, 60])[:, None, None])) < 25).astype(bool)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max((one | other).sum(), 1)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A red disc on a blue ground, both noisy."""
    noise = np.random.default_rng(0).normal(0, 6, (HEIGHT, WIDTH, 3))
    pixels = np.where(BLOB[..., None], [200, 60, 50], [40, 70, 160]) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def blob(photo: Image.Image) -> RegionProposals:
    return load_proposer("regions").open(photo)


@pytest.fixture(scope="module")
def cat() -> RegionProposals:
    return load_proposer("regions").open(Image.fromarray(data.chelsea()))


def test_a_click_selects_the_object(blob: RegionProposals) -> None:
    assert iou(blob.prompt([(60, 45, 1)])[0].to_array(), BLOB) > 0.9


def test_a_click_on_the_ground_offers_the_ground_without_the_object(blob: RegionProposals) -> None:
    masks = [mask.to_array() for mask in blob.prompt([(5, 5, 1), (60, 45, -1)])]
    assert all(mask[5, 5] and not mask[45, 60] for mask in masks)
    assert max(iou(mask, ~BLOB) for mask in masks) > 0.9


def test_a_box_selects_the_object_in_it_and_nothing_outside(blob: RegionProposals) -> None:
    mask = blob.prompt(box=(30, 15, 90, 75))[0]
    assert iou(mask.to_array(), BLOB) > 0.85
    left, top, width, height = mask.bbox
    assert left >= 26 and top >= 11 and left + width <= 94 and top + height <= 79


def test_a_previous_mask_is_kept_where_no_point_speaks_against_it(blob: RegionProposals) -> None:
    before = Mask.from_array(BLOB, 1.0)
    assert iou(blob.prompt(previous=before)[0].to_array(), BLOB) > 0.85


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_every_mask_holds_the_points_inside_and_none_outside(cat: RegionProposals, data) -> None:
    width, height = cat.size
    pixel = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    labels = data.draw(st.dictionaries(pixel, st.sampled_from([1, -1]), min_size=1, max_size=6))
    masks = cat.prompt([(x, y, label) for (x, y), label in labels.items()])
    assert bool(masks) or 1 not in labels.values()
    for mask in masks:
        array = mask.to_array()
        assert array.shape == (height, width)
        for (x, y), label in labels.items():
            assert array[y, x] == (label == 1)


def test_points_are_honoured_on_a_photo_larger_than_the_working_copy(photo: Image.Image) -> None:
    large = load_proposer("regions").open(photo.resize((2400, 1800)))
    points = [(1200, 900, 1), (1203, 900, -1), (1200, 903, -1), (10, 10, -1)]
    for mask in large.prompt(points):
        array = mask.to_array()
        assert array.shape == (1800, 2400)
        assert [bool(array[y, x]) for x, y, _ in points] == [True, False, False, False]


def test_masks_come_best_first(cat: RegionProposals) -> None:
    for masks in (cat.prompt([(225, 150, 1)]), cat.everything()):
        scores = [mask.score for mask in masks]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_everything_finds_the_object_and_repeats_none(blob: RegionProposals) -> None:
    masks = [mask.to_array() for mask in blob.everything()]
    assert max(iou(mask, BLOB) for mask in masks[:5]) > 0.85
    assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_the_wheel_walks_from_the_superpixel_to_the_whole_photo(cat: RegionProposals) -> None:
    masks = [mask.to_array() for mask in cat.hierarchy(225, 150)]
    assert all(mask[150, 225] for mask in masks)
    assert all(not (small & ~large).any() for small, large in zip(masks, masks[1:], strict=False))
    assert all(small.sum() < large.sum() for small, large in zip(masks, masks[1:], strict=False))
    assert masks[-1].mean() > 0.8


def test_the_nodes_of_the_hierarchy_are_nested_or_apart(cat: RegionProposals) -> None:
    tree = cat.graph.hierarchy
    child = np.flatnonzero(tree.parent >= 0)
    parent = tree.parent[child]
    assert (tree.first[parent] <= tree.first[child]).all() and (tree.last[child] <= tree.last[parent]).all()
    assert (tree.height[child] <= tree.height[parent]).all()
    assert tree.area[tree.parent < 0].sum() == cat.graph.areas.sum()
    assert np.allclose(tree.total(cat.graph.areas), tree.area)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (3, 3), (17, 12)], ids=str)
def test_a_tiny_photo_is_answered(size: tuple[int, int]) -> None:
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 255, (*size[::-1], 3), np.uint8))
    opened = load_proposer("regions").open(photo)
    assert opened.prompt([(0, 0, 1)])[0].to_array()[0, 0]
    assert opened.hierarchy(0, 0)[-1].size == size
    assert isinstance(opened.everything(), list)


def test_a_photo_of_one_colour_is_answered() -> None:
    opened = load_proposer("regions").open(Image.new("RGB", (64, 48), "grey"))
    assert opened.prompt([(30, 20, 1)])[0].to_array()[20, 30]
    assert isinstance(opened.everything(), list)
    assert opened.prompt(box=(3, 3, 30, 30))


def test_an_empty_photo_is_refused_in_one_sentence() -> None:
    with pytest.raises(PhotoError, match="no pixels"):
        load_proposer("regions").open(Image.new("RGB", (0, 5)))


def test_points_outside_alone_are_an_empty_answer_or_a_mask_without_them(cat: RegionProposals) -> None:
    assert all(not mask.to_array()[150, 225] for mask in cat.prompt([(225, 150, -1)]))


def test_a_contradiction_is_refused(blob: RegionProposals) -> None:
    with pytest.raises(PromptError, match="both inside and outside"):
        blob.prompt([(3, 3, 1), (3, 3, -1)])


def test_cancelling_stops_the_search(blob: RegionProposals) -> None:
    event = threading.Event()
    event.set()
    with pytest.raises(Cancelled):
        blob.everything(cancel=event.is_set)


def test_features_tell_apart_what_colours_do_not() -> None:
    grey = Image.fromarray(np.random.default_rng(0).integers(110, 140, (96, 128, 3), np.uint8))
    features = np.zeros((4, 12, 16), np.float32)
    features[0, :, :8], features[1, :, 8:] = 1, 1
    left = np.zeros((96, 128), bool)
    left[:, :64] = True
    points = [(30, 48, 1), (100, 48, -1)]
    seen, unseen = (RegionProposals(grey, given).prompt(points)[0].to_array() for given in (features, None))
    assert iou(seen, left) > iou(unseen, left) + 0.1
