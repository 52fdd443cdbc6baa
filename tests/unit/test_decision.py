"""One decider for scores on a grid and by region."""

import numpy as np
import pytest
import torch

from tests.tiny import noise_photo, tiny_model
from textseg.model.decision import decide
from textseg.model.partition import Partition
from textseg.model.scene import Scene
from textseg.segmentation import BY, segment
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("cat, -sofa, wall").with_thresholds({"wall": 0.5})
TABLE = torch.tensor([[0.9, 0.1, 0.0, 0.1], [0.1, 0.9, 0.0, 0.1], [0.2, 0.2, 0.7, 0.4]])


def test_a_word_wins_a_background_word_shows_none_and_a_threshold_hides() -> None:
    ids, score = decide(TABLE[:, None], WORDS, (1, 4))
    assert ids.tolist() == [[1, 0, 3, 0]]
    assert score.tolist() == [[230, 230, 178, 102]]


def test_regions_are_decided_as_a_grid_is() -> None:
    regions = Partition(np.array([[0, 1], [2, 3]]))
    pooled = regions.scores(torch.zeros(3, 1, 1))
    pooled.table = TABLE
    ids, score = decide(pooled, WORDS, (4, 4))
    grid_ids, grid_score = decide(TABLE[:, None], WORDS, (1, 4))
    for region in range(4):
        corner = np.s_[2 * (region // 2) : 2 * (region // 2) + 2, 2 * (region % 2) : 2 * (region % 2) + 2]
        assert (ids[corner] == grid_ids[0, region]).all() and (score[corner] == grid_score[0, region]).all()


@pytest.mark.parametrize("by", BY)
def test_an_answer_is_worked_out_in_tensors_where_the_model_is(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = tiny_model().encode(noise_photo())
    monkeypatch.setattr(Scene, "similarity", lambda *_, **__: pytest.fail("went through numpy"))
    assert segment(scene, Vocabulary.parse("cat, sofa"), by=by).size == scene.size
