"""The head of class names and caption words: its smoothing, and the two sizes at which it looks at a photo."""

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import TinyBackbone, noise_photo
from textseg import images
from textseg.model import Model
from textseg.model.heads.lexical import LexicalHead


@pytest.fixture
def head() -> LexicalHead:
    torch.manual_seed(0)
    head = LexicalHead(feature_dim=24, text_dim=16, classes=12, width=8).eval()
    head.names.copy_(F.normalize(torch.randn(12, 16), dim=1))
    head.sizes = ((32, 0.25), (64, 0.75))
    return head


def test_smoothing_is_the_mean_over_patches_weighted_by_likeness(head):
    y = torch.randn(1, 5, 16)
    expected = torch.zeros(5, 16)
    unit = F.normalize(y[0] - y[0].mean(0), dim=1)
    for p in range(5):
        weight = torch.tensor([torch.exp(head.affinity * unit[p] @ unit[q]) for q in range(5)])
        for q in range(5):
            expected[p] += weight[q] / weight.sum() * y[0, q]

    torch.testing.assert_close(head.smooth(y)[0], expected)


def test_no_embedding_is_longer_than_one(head):
    embedding = head(3 * torch.randn(2, 24, 5, 7))

    assert embedding.shape == (2, 16, 5, 7)
    assert embedding.norm(dim=1).max() <= 1 + 1e-6


def test_a_photo_is_seen_at_both_sizes_on_the_grid_of_the_finest(head):
    model, photo = Model(TinyBackbone(), head, "lexical"), noise_photo(96, 64)
    small, large = (model.backbone.encode([images.fit(photo, side, 8)]) for side in (32, 64))

    scene = model.encode(photo)

    expected = 0.25 * F.interpolate(small, large.shape[-2:], mode="bilinear") + 0.75 * large
    torch.testing.assert_close(scene.features.float(), expected[0], atol=2e-3, rtol=1e-3)
    assert scene.grid == (8, 12)


def test_features_kept_from_both_sizes_give_the_same_scene_again(head):
    model = Model(TinyBackbone(), head, "lexical")
    scene = model.encode(noise_photo(96, 64))

    again = model.scene(scene.photo, scene.features)

    torch.testing.assert_close(again.embedding, scene.embedding, atol=5e-3, rtol=0)
