"""Batches: what one step sees."""

from types import SimpleNamespace

import pytest
import torch

from trainer.batches import Batches, Labels
from trainer.labelling import label_keys
from trainer.recipes import Recipe


class Kept:
    """Features of one grid, each patch numbered by its place."""

    shape = (1, 4, 6)

    def __contains__(self, photo: str) -> bool:
        return True

    def __getitem__(self, photo: str) -> torch.Tensor:
        return torch.arange(24).half().view(self.shape)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        return packed.float()


def batches_of(thin: int) -> Batches:
    photos = [SimpleNamespace(sha256=f"{k}") for k in range(3)]
    store = {}
    for photo in photos:
        label, confidence = label_keys(photo, (4, 6))
        store |= {label: torch.arange(24).view(4, 6).short(), confidence: torch.arange(24).view(4, 6).half()}
    one = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))
    recipe = Recipe(batch=3, thin=thin)
    return Batches(photos, [Kept()], None, recipe, one, labels=Labels(store, torch.zeros(1, 2), torch.ones(1)))


@pytest.mark.parametrize(("thin", "grid"), [(1, (4, 6)), (2, (2, 3)), (4, (1, 1)), (5, (1, 1))])
def test_a_thinned_step_sees_every_nth_patch_from_a_place_drawn_anew(thin: int, grid: tuple[int, int]) -> None:
    batches, seen = batches_of(thin), set()
    for step in range(250):
        batch = batches(step)
        places = batch.features[0, 0].long()
        # Rows and columns may be fewer by one or two where they do not divide.
        assert places.shape[0] >= grid[0] and places.shape[1] >= grid[1]
        assert torch.equal(
            places, torch.arange(24).view(4, 6)[places[0, 0] // 6 :: min(thin, 4), places[0, 0] % 6 :: min(thin, 6)]
        )
        assert torch.equal(batch.labels[0], places) and torch.equal(batch.confidence[0], places.float())
        seen |= set(places.flatten().tolist())
    batches.close()
    assert seen == set(range(24))
