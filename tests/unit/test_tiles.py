"""A huge photo labelled by tiles: what is blended, and that no border of a tile shows."""

from functools import partial

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from textseg import pyramids
from textseg.bulk import tiles
from textseg.errors import Cancelled
from textseg.model import dense
from textseg.pyramids import plan
from textseg.pyramids.rows import Rows
from textseg.segmentation import scored, segment
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("red, green, blue")


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(plan, "TILE", 64)
    monkeypatch.setattr(plan, "STEP", 48)


def large(tmp_path, pixels):
    tifffile.imwrite(tmp_path / "large.tif", pixels, tile=(64, 64), photometric="rgb")
    return pyramids.open(tmp_path / "large.tif")


class Colours:
    """A model whose scenes are their photos: a tile says of each colour how much of it there is."""

    logit_scale = 10.0

    def encode(self, photo):
        return photo


def by_colour(photo):
    return torch.from_numpy(np.array(photo)).movedim(2, 0).float() / 255, {}


def by_place(photo):
    """Each tile says something else of the same pixels, as tiles do: their context differs."""
    values, _ = by_colour(photo)
    return values + torch.linspace(0, 0.4, photo.width) * values.mean(), {1: float(values[0].mean())}


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (height // 16 + 1, width // 16 + 1, 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(64, 64), (65, 64), (200, 150), (193, 97), (30, 20), (64 + 48, 64 + 48)])
def test_tiles_cover_the_photo_and_overlap(size, small_tiles):
    seen = np.zeros((size[1] + 8, size[0] + 8), int)
    rows = plan.tiles(size, 4)
    for row in rows:
        assert len({(top, bottom) for _, top, _, bottom in row}) == 1
        for left, top, right, bottom in row:
            assert right - left <= 64 and all(edge % 4 == 0 for edge in (left, top, right, bottom))
            seen[top:bottom, left:right] += 1
    assert (seen[: size[1], : size[0]] > 0).all()
    for row in (rows[0], [one[0] for one in rows]):
        assert all(one[2] - other[0] >= 12 or one[3] - other[1] >= 12 for one, other in zip(row, row[1:], strict=False))


@pytest.mark.parametrize("size", [(200, 150), (193, 97), (64, 64), (40, 300)])
def test_the_blended_answer_is_that_of_all_tiles_averaged_at_once(size, tmp_path, small_tiles):
    """The reference holds everything: one grid over the photo, all tiles laid on it, then one decision."""
    pixels = noise(size[1], size[0])
    with large(tmp_path, pixels) as pyramid:
        found = tiles.label(pyramid, Colours(), WORDS, by_place, others=False, scale=1)
    cell = 2
    shape = -(-size[1] // cell), -(-size[0] // cell)
    total, weight = np.zeros((3, *shape)), np.zeros(shape)
    padded = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), "edge")
    for row in plan.tiles(size, cell):
        for left, top, right, bottom in row:
            values, _ = by_place(Image.fromarray(padded[top:bottom, left:right]))
            share = np.ones(((bottom - top) // cell, (right - left) // cell))
            for axis, start, end, length in ((0, top, bottom, size[1]), (1, left, right, size[0])):
                at = np.arange((end - start) // cell) + 0.5
                ramp = np.minimum(
                    np.minimum(at / 8, 1) if start else 1, 1 if end >= length else (at[-1] + 0.5 - at) / 8
                )
                share = share * (np.broadcast_to(ramp, at.shape)[:, None] if axis == 0 else ramp)
            grid = dense.upsample(values, share.shape).numpy()
            there = slice(top // cell, bottom // cell), slice(left // cell, right // cell)
            total[:, *there] += grid * share
            weight[there] += share
    mean = torch.from_numpy((total / weight).astype(np.float32))
    ids, _ = dense.label(mean, (shape[0] * cell, shape[1] * cell))
    expected = ids[: size[1], : size[0]]
    assert found.ids.shape == expected.shape
    assert (found.ids[:, :] == expected).mean() > 0.9999  # sums of float32 in another order
    found.close()


def test_where_tiles_agree_the_answer_is_that_of_one_run_at_every_pixel(tmp_path, small_tiles):
    pixels = noise(150, 200)
    with large(tmp_path, pixels) as pyramid:
        found = tiles.label(pyramid, Colours(), WORDS, by_colour, others=False, scale=1)
    values, _ = by_colour(Image.fromarray(pixels))
    expected, _ = dense.label(dense.upsample(values, (75, 100)), (150, 200))
    assert (found.ids[:, :] == expected).mean() > 0.9999
    assert found.pixels.sum() == 150 * 200 and found.presence == {}
    found.close()


def test_no_border_of_a_tile_shows_in_the_probabilities(tmp_path, small_tiles):
    """Tiles that disagree by a tenth at every border leave no step that is larger than those inside them."""
    pixels = np.full((64, 400, 3), 200, np.uint8)
    with large(tmp_path, pixels) as pyramid:
        look = tiles._Look(pyramid, Colours(), by_place, 1, 3)
        row = np.concatenate(list(look.bands(None, None)), 1)[0, 10]
    slope = 0.4 / 63 * 2 * pixels.mean() / 255  # of one tile, by cell
    disagreement = slope * 48 / 2  # between neighbours, at the same cell
    assert np.abs(np.diff(row)).max() < slope + disagreement / 8 * 1.01, "a step is spread over the overlap"


def test_a_coarser_look_sees_means_and_gives_every_pixel_an_id(tmp_path, small_tiles):
    pixels = noise(301, 405)
    with large(tmp_path, pixels) as pyramid:
        found = tiles.label(pyramid, Colours(), WORDS, by_colour, others=False, scale=4)
        assert found.ids.shape == (76, 102) and found.size == (405, 301)
        assert (found.read((37, 20, 405, 301)) == found.ids[:, :].repeat(4, 0).repeat(4, 1)[20:301, 37:405]).all()
    found.close()


def test_what_is_not_sure_or_leads_too_little_is_unlabelled(tmp_path, small_tiles):
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48], pixels[:, 48:] = (250, 0, 0), (130, 125, 0)
    with large(tmp_path, pixels) as pyramid:
        label = partial(tiles.label, pyramid, Colours(), WORDS, by_colour, others=False, scale=1)
        with_margin, with_threshold = label(margin=0.5), label(threshold=0.6)
    assert with_margin.ids[:, 8:40].all() and not with_margin.ids[:, 56:].any()
    assert with_threshold.ids[:, 8:40].all() and not with_threshold.ids[:, 56:].any()


def test_progress_counts_tiles_and_a_person_may_stop_it(tmp_path, small_tiles):
    seen = []
    with large(tmp_path, noise(150, 200)) as pyramid:
        tiles.label(pyramid, Colours(), WORDS, by_colour, others=False, scale=1, progress=seen.append).close()
        with pytest.raises(Cancelled):
            tiles.label(pyramid, Colours(), WORDS, by_colour, others=False, scale=1, cancel=lambda: True)
    assert [one.tiles for one in seen] == list(range(1, len(seen) + 1)) and seen[-1].of == len(seen) == 12


def test_regions_are_pixels_of_a_class_that_are_as_sure(tmp_path, small_tiles):
    with large(tmp_path, noise(100, 120)) as pyramid:
        found = tiles.label(pyramid, Colours(), WORDS, by_colour, others=False, scale=1)
    index, regions = found.regions([4, 7, 9])
    numbers, ids, sure = index[:, :], found.ids[:, :], found.sure[:, :]
    assert ((numbers == 0) == (ids == 0)).all()
    of_class = np.array([0, *(region.class_id for region in regions)])[numbers]
    surety = np.array([0, *(region.confidence for region in regions)])[numbers]
    assert (of_class == np.array([0, 4, 7, 9])[ids]).all()
    assert np.abs(surety - sure / 255)[ids > 0].max() < 0.03


def test_regions_of_thousands_of_words_keep_numbers_of_their_own():
    with tiles.Rows(2, np.uint16) as ids, tiles.Rows(2, np.uint8) as sure:
        ids.append(np.array([[4000, 724]]))
        sure.append(np.array([[255, 255]]))
        assert tiles.Regions(ids, sure)[:, :].tolist() == [[4000 * tiles.SURETIES, 724 * tiles.SURETIES]]


def test_a_photo_of_one_tile_is_labelled_as_it_is_otherwise(tmp_path, lite):
    photo = noise(440, 600, seed=3)
    words = Vocabulary.parse("sea, sand, forest")
    with large(tmp_path, photo) as pyramid:
        ask = partial(scored, vocabulary=words)
        found = tiles.label(pyramid, lite, words, ask, others=True, scale=1)
    whole = segment(lite.encode(Image.fromarray(photo)), words)
    assert (found.ids[:, :] == whole.ids).mean() > 0.98
    assert found.presence == whole.presence
    found.close()


def test_rows_on_disk_are_read_as_an_array_is():
    values = np.arange(70, dtype=np.uint16).reshape(10, 7)
    with Rows(7, np.uint16) as rows:
        rows.append(values[:4])
        rows.append(values[4:])
        assert rows.shape == (10, 7)
        assert (rows[2:9, 3:5] == values[2:9, 3:5]).all() and (rows[:, :] == values).all()
        with pytest.raises(ValueError, match="rows of 6 numbers"):
            rows.append(values[:, :6])
