"""PACL's loss is exact: compared with a double loop over photos and texts, values and gradients."""

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import TinyBackbone
from textseg.errors import DatasetError, TrainingError
from textseg.model.heads.pacl import PACLHead
from trainer.objectives import Batch
from trainer.objectives.contrast import compatibility, info_nce, nearly_said, texts_of
from trainer.objectives.pacl import PACL

KAPPA = 10.0


def naive_compatibility(v: torch.Tensor, texts: torch.Tensor, kappa: float) -> torch.Tensor:
    """The paper's formulas, one (photo, text) pair after another."""
    rows = []
    for tokens in v:
        row = []
        for text in texts:
            attention = (kappa * F.normalize(tokens, dim=-1) @ text).softmax(0)
            row.append(F.cosine_similarity((attention[:, None] * tokens).sum(0), text, dim=0))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def tokens_and_texts(photos: int, texts: int, patches: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    v = 3 * torch.randn(photos, patches, dim) + torch.randn(dim)
    return v.requires_grad_(), F.normalize(torch.randn(texts, dim), dim=1).requires_grad_()


def batch_of(photos: int = 6, nouns: int = 0) -> Batch:
    torch.manual_seed(1)
    backbone = TinyBackbone()
    batch = Batch(torch.randn(photos, 24, 3, 4), backbone.embed([f"caption {i}" for i in range(photos)]))
    if nouns:
        batch.noun_ids = torch.arange(nouns)
        batch.nouns = backbone.embed([f"noun {i}" for i in range(nouns)])
        batch.noun_owner = torch.arange(nouns) % photos
    return batch


@pytest.mark.parametrize(("patches", "dim"), [(9, 32), (40, 16)], ids=["gram matrix", "direct pooling"])
@pytest.mark.parametrize("chunk", [2**24, 2 * 7 * 40], ids=["one group", "groups of photos"])
def test_logits_equal_the_double_loop_in_values_and_gradients(patches: int, dim: int, chunk: int) -> None:
    v, texts = tokens_and_texts(photos=5, texts=7, patches=patches, dim=dim)
    raw = (2 * texts).detach().requires_grad_()  # texts are unit vectors, so their gradient is that of what made them
    texts = F.normalize(raw, dim=1)
    weights = torch.randn(5, 7)

    expected = naive_compatibility(v, texts, KAPPA)
    expected_gradients = torch.autograd.grad((weights * expected).sum(), (v, raw), retain_graph=True)
    actual = compatibility(v, texts, KAPPA, chunk)
    gradients = torch.autograd.grad((weights * actual).sum(), (v, raw))

    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=0)


def test_both_ways_to_pool_agree_where_either_would_do() -> None:
    v, texts = tokens_and_texts(photos=3, texts=4, patches=8, dim=8)
    wide = F.pad(v, (0, 1)), F.pad(texts, (0, 1))  # one more dimension, all zero: T < D

    torch.testing.assert_close(compatibility(v, texts, KAPPA), compatibility(*wide, KAPPA), atol=1e-6, rtol=0)


def test_permuting_the_captions_permutes_the_columns() -> None:
    v, texts = tokens_and_texts(photos=4, texts=6, patches=9, dim=16)
    order = torch.tensor([3, 0, 5, 1, 4, 2])

    permuted = compatibility(v, texts[order], KAPPA)

    torch.testing.assert_close(permuted, compatibility(v, texts, KAPPA)[:, order])


def test_without_attention_scale_tokens_are_averaged_and_with_a_huge_one_the_best_is_taken() -> None:
    v, texts = tokens_and_texts(photos=3, texts=4, patches=9, dim=16)

    mean = torch.einsum("bd,cd->bc", F.normalize(v.mean(1), dim=-1), texts)
    best = torch.einsum("btd,cd->bct", F.normalize(v, dim=-1), texts).amax(-1)

    torch.testing.assert_close(compatibility(v, texts, 0.0), mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(compatibility(v, texts, 1e5), best, atol=1e-5, rtol=0)


def test_one_different_text_a_photo_gives_the_loss_of_clip() -> None:
    torch.manual_seed(0)
    logits = 5 * torch.randn(6, 6)
    diagonal = torch.arange(6)

    clip = (F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)) / 2

    torch.testing.assert_close(info_nce(logits, torch.eye(6, dtype=torch.bool)), clip)


def test_a_text_that_a_photo_has_is_never_its_negative() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, requires_grad=True)
    positive = torch.tensor([[True, True, False], [False, True, True]])

    pairs = [(0, 0, [2], [1]), (0, 1, [2], []), (1, 1, [0], []), (1, 2, [0], [0])]
    terms = []
    for photo, text, other_texts, other_photos in pairs:
        own = logits[photo, text]
        to_texts = torch.stack([own, *logits[photo, other_texts]]).logsumexp(0) - own
        to_photos = torch.stack([own, *logits[other_photos, text]]).logsumexp(0) - own
        terms.append((to_texts + to_photos) / 2)

    torch.testing.assert_close(info_nce(logits, positive), torch.stack(terms).mean())


def test_a_text_that_nearly_says_what_a_photo_has_is_ignored_there_alone() -> None:
    texts = F.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.3], [0.0, 1.0]]), dim=1)  # man, person, boat
    positive = torch.tensor([[True, False, False], [False, False, True]])

    assert nearly_said(texts, positive, 0.9).tolist() == [[False, True, False], [False, False, False]]
    assert not nearly_said(texts, positive, 1.0).any()

    logits = torch.randn(2, 3)
    rivals = [
        logits[0, [2]],
        logits[1, [0]],
        logits[1, [0, 1]],
        logits[0, [2]],
    ]  # of (0, 0) among texts and photos, then of (1, 2)
    own = [logits[0, 0], logits[0, 0], logits[1, 2], logits[1, 2]]
    terms = [F.softplus(r.logsumexp(0) - o) for r, o in zip(rivals, own, strict=True)]
    torch.testing.assert_close(info_nce(logits, positive, nearly_said(texts, positive, 0.9)), sum(terms) / 4)


def test_pooling_by_mean_and_by_the_best_patch_are_the_limits_of_kappa() -> None:
    backbone = TinyBackbone()
    batch = Batch(torch.randn(3, 24, 2, 3), captions=F.normalize(torch.randn(3, 16), dim=1))
    torch.manual_seed(0)
    head = PACLHead.build(backbone)

    def loss(**settings: object) -> torch.Tensor:
        return PACL(head, backbone, **settings)(batch)["contrast"]

    torch.testing.assert_close(loss(pooling="mean"), loss(attn_scale=0.0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loss(pooling="max"), loss(attn_scale=1e6), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(loss(pooling="mean"), loss(pooling="max"))
    with pytest.raises(TrainingError, match="choose softmax, mean, max"):
        loss(pooling="sum")


def test_a_batch_of_one_photo_has_loss_and_gradient_zero() -> None:
    logits = torch.tensor([[0.3]], requires_grad=True)

    loss = info_nce(logits, torch.tensor([[True]]))
    loss.backward()

    assert loss.item() == 0 and logits.grad.item() == 0


def test_equal_captions_and_equal_nouns_are_one_text_of_several_photos() -> None:
    backbone, batch = TinyBackbone(), batch_of(photos=3)
    batch.captions = batch.captions[[0, 1, 0]]
    batch.caption_ids = torch.tensor([8, 5, 8])
    batch.nouns = backbone.embed(["dog", "cat", "dog"])
    batch.noun_ids, batch.noun_owner = torch.tensor([2, 9, 2]), torch.tensor([0, 1, 2])

    texts, positive = texts_of(batch, PACLHead.build(backbone))

    torch.testing.assert_close(texts, torch.cat([batch.captions[:2], batch.nouns[:2]]))
    assert positive.int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]


def test_nouns_are_extra_texts_and_can_be_left_out() -> None:
    head, batch = PACLHead.build(TinyBackbone()), batch_of(photos=4, nouns=6)

    assert texts_of(batch, head)[1].shape == (4, 10)
    assert texts_of(batch, head, nouns=False)[1].shape == (4, 4)


def test_photos_without_any_text_are_refused() -> None:
    with pytest.raises(DatasetError, match="no captions"):
        texts_of(Batch(torch.randn(2, 24, 3, 3)), PACLHead.build(TinyBackbone()))


def test_training_lowers_the_loss_and_the_own_text_comes_first() -> None:
    backbone, batch = TinyBackbone(), batch_of(photos=8, nouns=8)
    torch.manual_seed(0)
    objective = PACL(PACLHead.build(backbone), backbone)
    optimiser = torch.optim.Adam(objective.parameters(), lr=1e-2)
    before = objective(batch)
    for _ in range(40):
        optimiser.zero_grad()
        objective(batch)["contrast"].backward()
        optimiser.step()

    after = objective(batch)

    assert after["contrast"] < 0.5 * before["contrast"]
    assert after["_first_is_own"] == 1
