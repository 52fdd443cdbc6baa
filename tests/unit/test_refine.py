"""Each refinement against its formula written out naively, on photos of a few pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

import textseg
from tests.tiny import GivenMasks, noise_photo, tiny_model
from textseg import refine
from textseg.errors import UnknownNameError
from textseg.model import Scene, dense
from textseg.model.decision import decide
from textseg.model.partition import Partition, RegionScores
from textseg.proposals import Mask
from textseg.refine import guided, pamr
from textseg.refine.proposals import vote
from textseg.vocabulary import Vocabulary

NAMES = refine.names()


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def two_colours(width: int = 120, height: int = 80, edge: int = 70) -> Image.Image:
    """Blue up to the column `edge`, orange from there."""
    photo = np.full((height, width, 3), (20, 60, 160), np.uint8)
    photo[:, edge:] = (230, 140, 40)
    return Image.fromarray(photo)


def ids_of(scene: Scene, scores: torch.Tensor | RegionScores, words: int) -> np.ndarray:
    return decide(scores, Vocabulary.from_names(f"word {k}" for k in range(words)), scene.size[::-1])[0]


@pytest.mark.parametrize("name", ["guided", "pamr", "regions"])
def test_a_blurred_edge_moves_to_the_edge_of_the_photo(model, name):
    """The scores change from one word to the other around column 70, within a grid cell; the colours change at 66."""
    scene = model.encode(two_colours(edge=66))
    step = torch.where(torch.arange(12) < 7, 1.0, -1.0).expand(8, 12)
    grid = torch.stack([step, -step])
    truth = np.where(np.arange(120) < 66, 1, 2)
    before = (ids_of(scene, grid, 2) != truth).mean()
    after = (ids_of(scene, refine.get(name)(scene, grid), 2) != truth).mean()
    assert before > 0.03 and after <= before / 2


@pytest.mark.parametrize("name", NAMES)
def test_constant_scores_stay_constant(model, name):
    scene = model.encode(noise_photo())
    refined = refine.get(name)(scene, torch.full((1, 8, 12), 0.3))
    values = refined.table if isinstance(refined, RegionScores) else refined
    assert torch.allclose(values, torch.tensor(0.3), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (3, 2)])
def test_a_photo_of_any_shape_can_be_refined(model, name, size):
    labels = textseg.segment(
        model.encode(noise_photo(*size)), Vocabulary.parse("cat, dog, sky"), refine=name, others=None
    )
    assert labels.size == size and set(np.unique(labels.ids)) <= {1, 2, 3}


@pytest.mark.parametrize("name", NAMES)
def test_one_word_takes_everything(model, name):
    assert (
        textseg.segment(model.encode(noise_photo()), Vocabulary.parse("cat"), refine=name, others=None).ids == 1
    ).all()


@pytest.mark.parametrize("name", NAMES)
def test_thresholds_and_background_words_hold_after_refinement(model, name):
    scene = model.encode(noise_photo())
    free = textseg.segment(scene, Vocabulary.parse("cat, sky"), refine=name, others=None)
    behind = textseg.segment(scene, Vocabulary.parse("cat", "sky"), refine=name, others=None)
    unsure = textseg.segment(scene, Vocabulary.parse("cat, sky"), refine=name, threshold=1.0, others=None)
    assert (behind.ids == np.where(free.ids == 2, 0, free.ids)).all()
    assert not unsure.ids.any() and (unsure.score == free.score).all()


@pytest.mark.parametrize("name", NAMES)
def test_refinements_are_deterministic_and_leave_the_scores_alone(model, name):
    photo, grid = noise_photo(), torch.randn(5, 8, 12, generator=torch.Generator().manual_seed(0))
    before = grid.clone()
    first, second = (ids_of(scene, refine.get(name)(scene, grid), 5) for scene in map(model.encode, (photo, photo)))
    assert (first == second).all() and torch.equal(grid, before)


@pytest.mark.parametrize("name", NAMES)
def test_what_depends_on_the_photo_alone_is_found_once(model, name, monkeypatch):
    scene = model.encode(noise_photo())
    first = refine.get(name)(scene, torch.randn(3, 8, 12))
    held = scene.nbytes
    monkeypatch.setattr(Image.Image, "resize", None)
    monkeypatch.setattr("skimage.segmentation.felzenszwalb", None)
    second = refine.get(name)(scene, torch.randn(4, 8, 12))
    assert type(first) is type(second)
    assert held > scene.embedding.nbytes + scene.features.nbytes


def test_many_words_on_a_large_photo_stay_within_the_bound(model, monkeypatch):
    monkeypatch.setattr(guided, "MOST_BYTES", 4 * 300 * 1000)
    scene = model.encode(noise_photo(1200, 800))
    assert refine.get("guided")(scene, torch.randn(10, 8, 12)).shape == (10, 141, 212)  # 320 x 213, shrunk
    assert max(refine.get("pamr")(scene, torch.randn(10, 8, 12)).shape) == pamr.WORKING_SIDE
    monkeypatch.setattr(pamr, "FULL_SIDE", 240)
    assert refine.get("pamr_full")(scene, torch.randn(10, 8, 12)).shape == (10, 160, 240)
    monkeypatch.setattr(pamr, "MOST_BYTES", 4 * 10 * 120 * 80)
    assert refine.get("pamr_full")(scene, torch.randn(10, 8, 12)).shape == (10, 80, 120)
    monkeypatch.setattr(guided, "MOST_BYTES", 1)
    assert refine.get("guided")(scene, torch.randn(10, 8, 12)).shape == (10, 1, 1)


def test_a_name_that_is_not_known_is_refused_in_one_sentence_that_lists_the_names(model):
    with pytest.raises(UnknownNameError) as refusal:
        textseg.segment(model.encode(noise_photo()), Vocabulary.parse("cat"), refine="magic")
    assert str(refusal.value) == f"There is no refinement called 'magic'; choose one of {', '.join(NAMES)}."


@pytest.mark.parametrize("by", ["slic", "proposal"])
def test_labels_on_edges_already_take_no_other_refinement(model, by):
    scene, words = model.encode(noise_photo()), Vocabulary.parse("cat, dog")
    assert (
        textseg.segment(scene, words, by, others=None).ids
        == textseg.segment(scene, words, by, refine="none", others=None).ids
    ).all()
    with pytest.raises(UnknownNameError, match="lie on image edges already"):
        textseg.segment(scene, words, by, refine="guided", others=None)


def test_units_are_smoothed_before_the_regions_take_their_mean(model):
    scene, words = model.encode(noise_photo()), Vocabulary.parse("cat, dog, sky, tree")
    by_unit = textseg.segment(scene, words, by="unit", refine="regions", others=None)
    assert (textseg.segment(scene, words, refine="units", others=None).ids == by_unit.ids).all()


def naive_guided(colours: np.ndarray, scores: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """The guided filter with a loop over the windows, coefficients and result at one size."""
    height, width, _ = colours.shape

    def window(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(y - radius, 0), y + radius + 1), slice(max(x - radius, 0), x + radius + 1)

    slope, offset = np.zeros((height, width, 3)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            i, p = colours[window(y, x)].reshape(-1, 3), scores[window(y, x)].ravel()
            centred = i - i.mean(0)
            covariance = centred.T @ centred / len(i)
            slope[y, x] = np.linalg.solve(covariance + epsilon * np.eye(3), centred.T @ (p - p.mean()) / len(i))
            offset[y, x] = p.mean() - slope[y, x] @ i.mean(0)
    return np.array(
        [
            [slope[window(y, x)].mean((0, 1)) @ colours[y, x] + offset[window(y, x)].mean() for x in range(width)]
            for y in range(height)
        ]
    )


def test_the_guided_filter_equals_its_formula(model, monkeypatch):
    monkeypatch.setattr(guided, "RADIUS", 3)
    photo = noise_photo(17, 11)
    grid = torch.randn(3, 11, 17, generator=torch.Generator().manual_seed(0))
    colours = np.asarray(photo) / 255
    naive = [naive_guided(colours, scores, 3, guided.EPSILON) for scores in grid.double().numpy()]
    np.testing.assert_allclose(refine.get("guided")(model.encode(photo), grid).numpy(), naive, atol=2e-3)


def test_words_can_be_filtered_some_at_a_time(model, monkeypatch):
    scene, grid = model.encode(noise_photo()), torch.randn(7, 8, 12)
    together = refine.get("guided")(scene, grid)
    monkeypatch.setattr(guided, "WORDS_AT_ONCE", 3)
    assert torch.allclose(refine.get("guided")(scene, grid), together, atol=1e-5)


@pytest.mark.parametrize(("name", "dilations"), [("pamr", pamr.DILATIONS), ("pamr_full", pamr.FULL_DILATIONS)])
def test_pamr_equals_its_formula(model, name, dilations):
    photo = noise_photo(9, 7)
    grid = torch.randn(2, 7, 9, generator=torch.Generator().manual_seed(0))
    colours, scores = np.asarray(photo) / 255, grid.double().numpy()
    alpha = np.zeros((63, 63))
    for y, x in np.ndindex(7, 9):
        windows = [
            (np.clip(y + d * down, 0, 6), np.clip(x + d * right, 0, 8))
            for d in dilations
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
        ]
        deviation = np.std([colours[at] for at in windows], axis=0, ddof=1)
        neighbours = [at for number, at in enumerate(windows) if number % 9 != 4]
        weights = np.exp(
            [-np.mean(np.abs(colours[at] - colours[y, x]) / (0.1 * deviation + 1e-8)) for at in neighbours]
        )
        for (row, column), weight in zip(neighbours, weights / weights.sum(), strict=True):
            alpha[y * 9 + x, row * 9 + column] += weight
    naive = np.linalg.matrix_power(alpha, pamr.REPETITIONS) @ scores.reshape(2, -1).T
    np.testing.assert_allclose(refine.get(name)(model.encode(photo), grid).numpy(), naive.T.reshape(2, 7, 9), atol=1e-4)


def test_regions_take_the_mean_of_their_scores(model):
    # Lower than the smallest region, so that the blurred edge between the colours is none of its own.
    scene, grid = model.encode(two_colours(24, 12, 10)), torch.randn(2, 2, 3)
    regions = refine.get("regions")(scene, grid)
    ids, upsampled = regions.partition.ids, dense.upsample(grid, (12, 24)).numpy()
    assert (ids[:, :10] == ids[0, 0]).all() and (ids[:, 10:] == ids[0, -1]).all()
    np.testing.assert_allclose(regions.table[:, ids[0, 0]], upsampled[:, :, :10].mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(regions.table[:, ids[0, -1]], upsampled[:, :, 10:].mean((1, 2)), atol=1e-5)


def test_proposals_lie_small_over_large_over_the_regions(model):
    scene = model.encode(noise_photo(48, 32))
    small, large = np.zeros((2, 32, 48), bool)
    large[4:20, 4:30], small[8:12, 8:12] = True, True
    below = Partition(np.zeros((32, 48), int))
    scene.once("felzenszwalb", lambda: below)
    given = GivenMasks([Mask.from_array(small, 0.9), Mask.from_array(large, 0.8)])
    grid = torch.randn(3, 4, 6)
    stacked, upsampled = refine.get("proposals", given)(scene, grid), dense.upsample(grid, (32, 48)).numpy()
    for part in (small, large & ~small, ~large):
        (region,) = np.unique(stacked.partition.ids[part])
        np.testing.assert_allclose(stacked.table[:, region], upsampled[:, part].mean(1), atol=1e-5)


def test_a_mask_vote_shows_in_each_proposal_what_most_of_its_pixels_had(model):
    scene = model.encode(noise_photo(48, 32))
    small, large = np.zeros((2, 32, 48), bool)
    large[4:20, 4:30], small[8:12, 8:12] = True, True
    given = GivenMasks([Mask.from_array(small, 0.9), Mask.from_array(large, 0.8)])
    grid = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    scores = refine.get("mask_vote", given)(scene, grid)
    expected = vote(dense.label(grid, (32, 48))[0], [small, large])
    assert (ids_of(scene, scores, 3) == expected).all()
    # The similarity is that of what is shown, averaged over the pixels of one region.
    region = scores.partition.ids == scores.partition.ids[8, 8]
    shown = dense.upsample(grid, (32, 48))[expected[8, 8] - 1].numpy()
    assert scores.table[:, scores.partition.ids[8, 8]].max().item() == pytest.approx(shown[region].mean(), abs=1e-5)


def test_each_mask_shows_what_most_of_its_pixels_had() -> None:
    ids = np.array([[1, 1, 2, 2], [1, 3, 2, 0]], np.uint8)
    left = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], bool)
    assert vote(ids, [left]).tolist() == [[1, 1, 2, 2], [1, 1, 2, 0]]
    assert vote(ids, [~left]).tolist() == [[1, 1, 2, 2], [1, 3, 2, 2]]
    assert ids.tolist() == [[1, 1, 2, 2], [1, 3, 2, 0]]


def test_where_masks_overlap_the_smallest_decides_in_any_order() -> None:
    ids = np.array([[1, 1, 1, 2, 2, 2, 2, 2]], np.uint16)
    everything = np.ones((1, 8), bool)
    three = np.arange(8)[None] < 3
    for masks in ([everything, three], [three, everything]):
        voted = vote(ids, iter(masks))
        assert voted.tolist() == [[1, 1, 1, 2, 2, 2, 2, 2]]
        assert voted.dtype == np.uint16
    assert vote(ids, [everything]).tolist() == [[2] * 8]


def test_votes_need_masks_with_pixels() -> None:
    ids = np.array([[4, 5]], np.uint8)
    assert vote(ids, []).tolist() == [[4, 5]]
    assert vote(ids, [np.zeros((1, 2), bool)]).tolist() == [[4, 5]]
    assert vote(ids, [np.ones((1, 2), bool)]).tolist() == [[4, 4]]
