"""AFSS: cross-entropy with texts, and supervised contrast between patches of one pseudo-label."""

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import TinyBackbone
from textseg.errors import DatasetError
from textseg.model.heads.block import BlockHead
from textseg.model.heads.mgca import MGCAHead
from trainer.objectives import Batch
from trainer.objectives.afss import AFSS, at_most, sup_con


def batch_of(labelled: bool = True) -> Batch:
    torch.manual_seed(1)
    labels = torch.randint(-1, 3, (4, 3, 5)) if labelled else torch.full((4, 3, 5), -1)
    return Batch(
        torch.randn(4, 24, 3, 5),
        labels=labels,
        confidence=torch.rand(4, 3, 5),
        classes=TinyBackbone().embed(["cat", "sofa", "wall"]),
    )


def objective_for(**config: float) -> AFSS:
    torch.manual_seed(0)
    backbone = TinyBackbone()
    return AFSS(BlockHead.build(backbone), backbone, **config)


def test_the_patch_text_term_is_the_weighted_cross_entropy_of_labelled_patches() -> None:
    objective, batch = objective_for(tau=0.1), batch_of()

    z = objective.head(batch.features)
    total, weight = 0.0, 0.0
    for b in range(4):
        for y in range(3):
            for x in range(5):
                label = batch.labels[b, y, x]
                if label >= 0:
                    log_p = (batch.classes @ z[b, :, y, x] / 0.1).log_softmax(0)
                    total = total - batch.confidence[b, y, x] * log_p[label]
                    weight = weight + batch.confidence[b, y, x]

    torch.testing.assert_close(objective(batch)["patch_text"], total / weight)


def test_a_balanced_loss_adds_to_each_word_the_log_of_its_share_of_the_labels() -> None:
    plain, balanced, batch = objective_for(tau=0.1), objective_for(tau=0.1, balance=0.5), batch_of()
    batch.shares = torch.tensor([0.7, 0.2, 0.1])
    omega = batch.labels >= 0

    z = plain.head(batch.features).movedim(1, -1)[omega]
    logits = z @ batch.classes.T / 0.1 + 0.5 * batch.shares.log()
    each = F.cross_entropy(logits, batch.labels[omega], reduction="none")
    weights = batch.confidence[omega]

    torch.testing.assert_close(balanced(batch)["patch_text"], (weights * each).sum() / weights.sum())
    assert balanced(batch)["_patch_accuracy"] == plain(batch)["_patch_accuracy"]  # what the head itself would answer


def test_the_patch_patch_term_equals_its_double_sum() -> None:
    torch.manual_seed(0)
    z, tau = F.normalize(torch.randn(7, 5), dim=1), 0.2
    labels = torch.tensor([0, 1, 0, 2, 1, 0, 3])  # 2 and 3 have no positive
    weights = torch.rand(7)

    total, weight = 0.0, 0.0
    for p in range(7):
        others = [r for r in range(7) if r != p]
        positives = [q for q in others if labels[q] == labels[p]]
        if positives:
            log_sum = torch.stack([z[p] @ z[r] / tau for r in others]).logsumexp(0)
            total = total - weights[p] * sum(z[p] @ z[q] / tau - log_sum for q in positives) / len(positives)
            weight = weight + weights[p]

    torch.testing.assert_close(sup_con(z, labels, weights, tau), total / weight)


def test_at_most_n_patches_of_a_class_are_drawn_and_never_one_twice() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([5] * 50 + [2] * 3 + [9] * 10)

    drawn = at_most(4, labels)

    assert len(set(drawn.tolist())) == len(drawn)
    assert labels[drawn].bincount(minlength=10).tolist() == [0, 0, 3, 0, 0, 4, 0, 0, 0, 4]
    assert set(drawn.tolist()) != set(at_most(4, labels).tolist())


def test_the_patch_patch_term_can_be_switched_off() -> None:
    assert "patch_patch" not in objective_for(patch_weight=0.0)(batch_of())


def test_a_batch_without_labelled_patches_gives_no_loss_and_no_gradient() -> None:
    objective = objective_for()

    terms = objective(batch_of(labelled=False))
    (terms["patch_text"] + terms["patch_patch"]).backward()

    assert all(term == 0 for term in terms.values())
    assert all(p.grad is None or not p.grad.any() for p in objective.parameters())


def test_a_batch_without_labels_is_refused() -> None:
    with pytest.raises(DatasetError, match="no \\(pseudo-\\)labelled patches"):
        objective_for()(Batch(torch.randn(1, 24, 3, 3)))


def test_a_head_that_decodes_to_a_finer_grid_repeats_the_labels() -> None:
    backbone, batch = TinyBackbone(), batch_of()
    objective = AFSS(MGCAHead.build(backbone), backbone, patch_weight=0.0)
    # An untrained MGCA head repeats each patch 4 x 4 times, which changes no mean.
    z = backbone.alignment()(batch.features).movedim(1, -1)
    seen = batch.labels >= 0
    each = F.cross_entropy(z[seen] @ batch.classes.T / objective.tau, batch.labels[seen], reduction="none")
    weights = batch.confidence[seen]

    torch.testing.assert_close(objective(batch)["patch_text"], (weights * each).sum() / weights.sum())


def test_training_learns_the_labels() -> None:
    objective, batch = objective_for(), batch_of()
    optimiser = torch.optim.Adam(objective.parameters(), lr=3e-3)
    before = objective(batch)["_patch_accuracy"]
    for _ in range(60):
        optimiser.zero_grad()
        terms = objective(batch)
        (terms["patch_text"] + terms["patch_patch"]).backward()
        optimiser.step()

    assert before < 0.6 and objective(batch)["_patch_accuracy"] > 0.95
