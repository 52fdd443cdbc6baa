"""GroupViT's inference: hard groups, five words a photo, background where no group is sure."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.tiny import TinyBackbone, noise_photo, tiny_model
from textseg.errors import HeadError
from textseg.model import Model, dense
from textseg.model.heads.grouping import GroupingHead
from textseg.vocabulary import Vocabulary
from trainer import groupvit

NAMES = [f"word {k}" for k in range(9)]


@pytest.fixture
def model() -> Model:
    torch.manual_seed(4)
    backbone = TinyBackbone()
    head = GroupingHead.build(backbone, width=12, heads=2, groups=(6, 4)).eval()
    return Model(backbone, head, "grouping")


@pytest.mark.parametrize("background", [None, 0.95, 0.0])
def test_the_answer_is_that_of_the_formula(model: Model, background: float | None) -> None:
    scene = model.encode(noise_photo(96, 64))
    words, probability = groupvit.answer(scene, Vocabulary.from_names(NAMES), "plain", background)

    segments, share = model.head.segments(scene.features[None].float())
    texts = model.backbone.embed(NAMES)
    photo = F.normalize(segments[0].mean(0), dim=0) @ texts.T
    five = set(photo.topk(5).indices.tolist())
    expected = []
    for segment in segments[0]:
        logits = 10 * (segment @ texts.T)
        p = logits.softmax(0)
        q = torch.tensor([p[k] if k in five else 0.0 for k in range(9)])
        expected.append((p * q / q.sum()).max(0))
    group = dense.upsample(share[0].unflatten(-1, (8, 12)), (64, 96)).argmax(0).numpy()
    best = np.array([float(value) for value, _ in expected])
    np.testing.assert_allclose(probability, best[group], rtol=1e-4)
    chosen = np.array([int(k) for _, k in expected])
    if background is not None:
        chosen[best < min(background, best.max()) - 1e-6] = -1
    assert (words == chosen[group]).all()


def test_a_photo_shows_no_more_than_five_words_and_a_word_has_aliases(model: Model) -> None:
    scene = model.encode(noise_photo(96, 64))
    plain, _ = groupvit.answer(scene, Vocabulary.from_names(NAMES), "plain")
    assert len(np.unique(plain)) <= 4
    merged, _ = groupvit.answer(scene, Vocabulary.parse("; ".join(NAMES)), "plain")
    assert (merged == 0).all()


def test_a_head_without_groups_is_refused_in_one_sentence() -> None:
    scene = tiny_model().encode(noise_photo())
    with pytest.raises(HeadError, match="needs a head of type 'grouping', not 'none'"):
        groupvit.answer(scene, Vocabulary.from_names(NAMES))
