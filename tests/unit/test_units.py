import pytest
import torch

from textseg.model.units import adaptive_units, farthest_points, unit_count


@pytest.fixture
def embedding() -> torch.Tensor:
    """Left half one direction, right half another, with noise."""
    z = torch.randn(8, 10, 12, generator=torch.Generator().manual_seed(0)) * 0.05
    z[0, :, :6] += 1
    z[1, :, 6:] += 1
    return z


def test_two_units_find_the_two_halves(embedding):
    halves = adaptive_units(embedding, 0).map((10, 12))
    assert (halves[:, :6] == halves[0, 0]).all() and (halves[:, 6:] == halves[0, -1]).all()
    assert halves[0, 0] != halves[0, -1]


def test_affinities_sum_to_one_at_every_cell(embedding):
    assert torch.allclose(adaptive_units(embedding, 0.6).affinity.sum(0), torch.ones(10, 12))


def test_smoothing_leaves_constant_scores_alone(embedding):
    assert torch.allclose(adaptive_units(embedding, 0.5).smooth(torch.ones(3, 10, 12)), torch.ones(3, 10, 12))


def test_smoothing_removes_noise_inside_a_unit(embedding):
    noisy = embedding[:2] + torch.randn(2, 10, 12, generator=torch.Generator().manual_seed(1)) * 0.3
    assert adaptive_units(embedding, 0).smooth(noisy)[0, :, :6].std() < noisy[0, :, :6].std() / 4


def test_granularity_runs_from_two_units_to_a_quarter_of_the_cells():
    counts = [unit_count(1000, g) for g in (0, 0.25, 0.5, 0.75, 1)]
    assert counts[0] == 2 and counts[-1] == 250 and counts == sorted(counts)


def test_farthest_points_are_all_different():
    points = torch.nn.functional.normalize(torch.randn(50, 4), dim=1)
    assert len(set(farthest_points(points, 20).tolist())) == 20


def test_a_photo_of_one_cell_has_one_unit():
    assert len(adaptive_units(torch.randn(8, 1, 1), 1.0)) == 1
