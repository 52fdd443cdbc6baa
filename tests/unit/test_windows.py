"""Sliding windows cover the image, and their maps fit together on any grid."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from textseg.model.windows import Mosaic, windows


@settings(deadline=None)
@given(
    width=st.integers(1, 24),
    height=st.integers(1, 24),
    side=st.integers(4, 14),
    multiple=st.sampled_from([4, 8, 14, 16]),
    stride=st.sampled_from([4, 7, 8, 14, 16]),
)
def test_windows_of_any_stride_cover_every_cell_and_average_to_what_they_agree_on(
    width: int, height: int, side: int, multiple: int, stride: int
) -> None:
    size, side = (width * multiple, height * multiple), side * 16 // multiple * multiple or multiple
    mosaic, seen = Mosaic(size), torch.zeros(size[1], size[0])
    for box in windows(size, side, side // 2, multiple):
        left, top, right, bottom = box
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
        seen[top:bottom, left:right] = 1
        # A second backbone's grid: its stride need not divide the window or its steps.
        grid = max(1, round((bottom - top) / stride)), max(1, round((right - left) / stride))
        mosaic.add(box, torch.full((2, *grid), 3.0))
    assert seen.all()
    assert torch.equal(mosaic.mean(), torch.full_like(mosaic.mean(), 3.0))


def test_overlapping_windows_are_averaged() -> None:
    mosaic = Mosaic((24, 16))
    mosaic.add((0, 0, 16, 16), torch.zeros(1, 2, 2))
    mosaic.add((8, 0, 24, 16), torch.ones(1, 2, 2))
    assert mosaic.mean().tolist() == [[[0, 0.5, 1], [0, 0.5, 1]]]
