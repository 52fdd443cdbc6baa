"""Pseudo-labels: named proposals, filtered, small over large, and unlabelled where unsure."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.tiny import noise_photo, tiny_model
from textseg.labelmap import LabelMap
from textseg.model.calibration import Calibration
from textseg.proposals import Mask
from textseg.pseudolabel import Cover, LabelledRegion, PseudoLabels, label_regions
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("cat, sofa, wall")
SIZE = (12, 8)


def box(left: int, top: int, right: int, bottom: int) -> Mask:
    array = np.zeros(SIZE[::-1], bool)
    array[top:bottom, left:right] = True
    return Mask.from_array(array, 1.0)


def labels(*regions: LabelledRegion, vocabulary: Vocabulary = WORDS) -> PseudoLabels:
    return PseudoLabels(list(regions), vocabulary, SIZE)


LARGE = LabelledRegion(box(0, 0, 8, 8), word=2, confidence=0.9, margin=0.8, scores=np.array([0.1, 0.9]))
SMALL = LabelledRegion(box(2, 2, 5, 5), word=1, confidence=0.6, margin=0.3, scores=np.array([0.6, 0.3]))


def test_a_small_region_lies_over_a_large_one_in_any_order() -> None:
    for painted in (labels(LARGE, SMALL).paint(), labels(SMALL, LARGE).paint()):
        assert isinstance(painted, LabelMap)
        assert painted.ids[3, 3] == 1 and painted.ids[0, 0] == 2
        assert painted.confidence == pytest.approx({1: 0.6, 2: 0.9}, abs=1e-3)


def test_pixels_of_no_region_stay_unlabelled() -> None:
    assert (labels(LARGE).paint().ids[:, 8:] == 0).all()


@pytest.mark.parametrize("filters", [{"confidence": 0.7}, {"margin": 0.5}], ids=str)
def test_a_region_that_is_not_sure_shows_what_lies_under_it(filters: dict) -> None:
    assert (labels(LARGE, SMALL).paint(**filters).ids[:, :8] == 2).all()


def test_a_background_word_wins_its_region_and_shows_none() -> None:
    vocabulary = Vocabulary.parse("-cat, sofa, wall")
    painted = labels(LARGE, SMALL, vocabulary=vocabulary).paint()
    assert painted.ids[3, 3] == 0 and painted.ids[0, 0] == 2


def test_no_proposals_are_an_empty_label_map() -> None:
    painted = labels().paint()
    assert painted.ids.shape == SIZE[::-1] and not painted.ids.any() and painted.confidence == {}


def test_patches_take_the_word_that_covers_more_than_half_of_them() -> None:
    index, confidence = labels(LARGE).patches((2, 5))  # cells of 2.4 x 4 pixels: the fourth is covered by a third
    assert index.tolist() == [[1, 1, 1, -1, -1]] * 2
    assert index.dtype == torch.int64
    assert confidence[0, 0] == pytest.approx(0.9, abs=1e-3) and confidence[0, 3] == 0


def test_pooling_is_the_mean_over_the_mask() -> None:
    grid = torch.randn(3, 4, 6)
    masks = [box(0, 0, 12, 8), box(0, 0, 6, 4), box(2, 2, 3, 7)]
    full = F.interpolate(grid[None], scale_factor=2, mode="nearest")[0]
    expected = [full[:, torch.from_numpy(mask.to_array())].mean(1) for mask in masks]
    assert torch.allclose(Cover(masks, grid).mean(grid), torch.stack(expected), atol=1e-5)


def test_a_mask_of_one_pixel_takes_the_cell_that_it_lies_in() -> None:
    grid = torch.randn(2, 1, 1)
    assert torch.allclose(Cover([box(11, 7, 12, 8)], grid).mean(grid)[0], grid[:, 0, 0])


def test_a_region_hears_the_smallest_region_around_it_and_no_larger_one() -> None:
    grid = torch.randn(3, 4, 6)
    masks = [box(0, 0, 12, 8), box(0, 0, 6, 4), box(0, 0, 2, 2), box(8, 4, 12, 8)]
    own = Cover(masks, grid).mean(grid)
    expected = [own[0], own[[0, 1]].mean(0), own[[1, 2]].mean(0), own[[0, 3]].mean(0)]
    assert torch.allclose(Cover(masks, grid).nested(grid), torch.stack(expected), atol=1e-5)


def test_regions_are_named_by_their_mean_similarity() -> None:
    model = tiny_model()
    scene = model.encode(noise_photo(*SIZE))

    class Given:
        def everything(self, cancel=None) -> list[Mask]:
            return [LARGE.mask, SMALL.mask]

    found = label_regions(scene, WORDS, Given(), others=None)
    similarity = torch.from_numpy(scene.similarity(WORDS))
    probability = (Cover([LARGE.mask, SMALL.mask], similarity).nested(similarity) * model.logit_scale).softmax(1)
    for region, row in zip(found.regions, probability, strict=True):
        best = row.sort(descending=True)
        assert region.word == int(best.indices[0]) + 1
        assert region.confidence == pytest.approx(float(best.values[0]), abs=1e-5)
        assert region.margin == pytest.approx(float(best.values[0] - best.values[1]), abs=1e-5)


def test_without_proposals_given_those_of_regions_are_named() -> None:
    found = label_regions(tiny_model().encode(noise_photo()), Vocabulary.parse("cat"), others=None)
    assert found.regions and all(region.word == 1 and region.confidence == 1 for region in found.regions)
    assert found.size == (96, 64)


def test_a_region_says_which_other_word_fits_it_best_and_that_one_competes() -> None:
    scene = tiny_model().encode(noise_photo())
    scene.model.head.calibration = Calibration(bias=-4.0, presence=(9.0, 0.0, 0.0))
    found = label_regions(scene, Vocabulary.parse("cat"), others=["snow", "cat", "ski"])
    similarity = torch.from_numpy(scene.similarity(Vocabulary.from_names(["snow", "ski"])))
    for region, row in zip(
        found.regions, Cover([r.mask for r in found.regions], similarity).nested(similarity), strict=True
    ):
        assert region.other is not None
        assert region.other[0] == ["snow", "ski"][int(row.argmax())]
        assert region.other[1] == pytest.approx(float(row.max()), abs=1e-5)
    assert {region.word for region in found.regions} == {0, 1}


def test_where_no_other_word_competes_a_region_names_none() -> None:
    scene = tiny_model().encode(noise_photo())
    found = label_regions(scene, Vocabulary.parse("cat"), others=["cat"])
    assert all(region.word == 1 and region.other is None for region in found.regions)
