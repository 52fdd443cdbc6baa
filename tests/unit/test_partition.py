import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny import noise_photo
from textseg.model import dense, partition
from textseg.model.partition import Partition


@settings(deadline=None)
@given(
    st.integers(0, 99),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_pooling_equals_the_mean_of_upsampled_scores(seed, size, grid_size):
    rng = np.random.default_rng(seed)
    ids = np.unique(rng.integers(0, 5, size), return_inverse=True)[1].reshape(size)
    grid = torch.from_numpy(rng.normal(size=(3, *grid_size)).astype(np.float32))
    full = dense.upsample(grid, size).numpy()
    naive = np.stack([[scores[ids == r].mean() for r in range(ids.max() + 1)] for scores in full])
    np.testing.assert_allclose(Partition(ids).pool(grid).numpy(), naive, atol=1e-5)


def test_spreading_to_the_own_size_gives_each_pixel_its_region():
    ids = np.array([[0, 0, 1], [2, 2, 1]])
    assert Partition(ids).spread(np.array([5, 6, 7]), (2, 3)).tolist() == [[5, 5, 6], [7, 7, 6]]


def test_finer_slic_has_more_regions():
    photo = noise_photo(120, 90)
    assert partition.slic(photo, 0.8).count > partition.slic(photo, 0.1).count


def test_layers_score_a_region_by_its_mean_over_the_layers():
    halves, stripes = np.zeros((2, 8, 6), int)
    halves[:, 3:], stripes[4:] = 1, 1
    grid = torch.randn(3, 4, 3)
    both = partition.Layers([Partition(halves), Partition(stripes)])
    mean = (Partition(halves).scores(grid), Partition(stripes).scores(grid))
    expected = sum(np.stack([s.partition.spread(row, (8, 6)) for row in s.table.numpy()]) for s in mean) / 2
    found = np.stack([both.spread(row, (8, 6)) for row in both.scores(grid).table.numpy()])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert both.count == 4


def test_partitions_of_large_photos_are_found_at_a_bounded_size():
    assert max(partition.felzenszwalb(noise_photo(1500, 700)).ids.shape) == partition.WORKING_SIDE
