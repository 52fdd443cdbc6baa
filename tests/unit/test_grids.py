"""Pixel-to-grid arithmetic."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from textseg import grids

SIDES = [(1, 1), (1, 7), (7, 1), (10, 4), (4, 10), (640, 37), (37, 640)]


@pytest.mark.parametrize(("pixels", "source"), SIDES)
def test_nearest_reads_what_lies_under_each_pixels_centre(pixels: int, source: int) -> None:
    found = grids.nearest(pixels, source)
    assert found.tolist() == [int((2 * i + 1) * source / (2 * pixels)) for i in range(pixels)]


@pytest.mark.parametrize(("pixels", "count"), SIDES)
def test_cells_go_from_the_first_to_the_last_in_order(pixels: int, count: int) -> None:
    found = grids.cells(pixels, count)
    assert found[0] == 0 and found[-1] < count and (np.diff(found) >= 0).all()
    assert pixels < count or set(found) == set(range(count))


def test_cells_are_numbered_row_by_row() -> None:
    assert grids.cell_numbers((2, 6), (2, 3)).tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]


@pytest.mark.parametrize(("pixels", "count"), SIDES)
def test_between_is_bilinear_interpolation(pixels: int, count: int) -> None:
    values = np.random.default_rng(0).standard_normal(count)
    first, second, share = grids.between(pixels, count)
    expected = F.interpolate(torch.from_numpy(values)[None, None], pixels, mode="linear", align_corners=False)
    np.testing.assert_allclose(values[first] * (1 - share) + values[second] * share, expected[0, 0], atol=1e-9)
