"""MixReorg: mixing is exactly undone, and only texts can tell where a mixed patch comes from."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny import TinyBackbone
from textseg.errors import DatasetError, HeadError, TrainingError
from textseg.model.heads import Head
from textseg.model.heads.block import BlockHead
from textseg.model.heads.grouping import GroupingHead, GroupingStage
from textseg.model.heads.pacl import PACLHead
from textseg.model.heads.residual import ResidualHead
from trainer.objectives import Batch
from trainer.objectives.mixreorg import MixReorg, log_mass_of_source, mix, permutations, restore, texts_of_tuples

KINDS = 6


def head_for(backbone: TinyBackbone) -> GroupingHead:
    return GroupingHead.build(backbone, width=24, heads=2, groups=(6, 3))


def block_for(backbone: TinyBackbone) -> BlockHead:
    return BlockHead.build(backbone, width=24, heads=2, depth=2)


def residual_for(backbone: TinyBackbone) -> ResidualHead:
    return ResidualHead.build(backbone, of="block", width=24, heads=2, depth=2)


each_head = pytest.mark.parametrize("head", [head_for, block_for, residual_for])


def objective_for(head: Callable[[TinyBackbone], Head] = head_for, **config: object) -> MixReorg:
    torch.manual_seed(0)
    backbone = TinyBackbone()
    return MixReorg(head(backbone), backbone, **config)


def photos_of_kinds(photos: int, text_of: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
    """Photos that each show one of six kinds of thing, with the text that `text_of` chooses for the kinds (B,)."""
    fixed = torch.Generator().manual_seed(7)
    looks = torch.randn(KINDS, 24, generator=fixed)
    texts = F.normalize(torch.randn(KINDS, 16, generator=fixed), dim=1)
    kinds = torch.randint(KINDS, (photos,))
    features = looks[kinds][:, :, None, None] + 0.5 * torch.randn(photos, 24, 2, 3)
    named = text_of(kinds)
    return Batch(features, texts[named], caption_ids=named)


def right(kinds: torch.Tensor) -> torch.Tensor:
    return kinds


def shuffled(kinds: torch.Tensor) -> torch.Tensor:
    return torch.randint(KINDS, kinds.shape)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**31))
def test_restoring_undoes_mixing_exactly(tuples: int, m: int, patches: int, seed: int) -> None:
    torch.manual_seed(seed)
    tokens = torch.randn(tuples, m, patches, 3)
    sigma = permutations(tuples, m, patches)

    assert torch.equal(restore(mix(tokens, sigma), sigma), tokens)


def test_every_patch_is_used_once_and_keeps_its_position() -> None:
    torch.manual_seed(0)
    photo, position = torch.meshgrid(torch.arange(4), torch.arange(50), indexing="ij")
    tokens = torch.stack([photo, position], dim=-1)[None].expand(3, -1, -1, -1)
    sigma = permutations(3, 4, 50)

    mixed = mix(tokens, sigma)

    assert torch.equal(mixed[..., 0], sigma)  # the source map says which photo a patch comes from
    assert torch.equal(mixed[..., 1], tokens[..., 1])
    assert torch.equal(mixed[..., 0].sort(dim=1).values, tokens[..., 0])
    assert not torch.equal(mixed, tokens)


@pytest.mark.parametrize("sees", ["tuple", "source"])
def test_progressive_mixing_starts_closed_and_then_sees_the_original_photos(sees: str) -> None:
    objective = objective_for(sees=sees)
    progressive = objective.progressive[0]
    tokens, sigma = torch.randn(2, 3, 6, 24), permutations(2, 3, 6)
    mixed = mix(tokens, sigma)

    assert torch.equal(objective.enhance(progressive, mixed, tokens, sigma), mixed)

    torch.nn.init.constant_(progressive.gate, 1.0)
    before = objective.enhance(progressive, mixed, tokens, sigma)
    changed = tokens.clone()
    changed[0, 1] += torch.randn(6, 24)
    moved = (objective.enhance(progressive, mixed, changed, sigma) - before).abs().amax(-1) > 1e-5

    assert not moved[1].any()  # another tuple
    assert torch.equal(moved[0], sigma[0] == 1) if sees == "source" else moved[0].all()


def test_each_tuple_asks_for_the_texts_of_its_photos_alone() -> None:
    has = torch.tensor([[[1, 0, 0, 1, 0], [0, 1, 0, 0, 0]], [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]]).bool()

    chosen, own = texts_of_tuples(has)

    assert chosen[0].tolist() == [0, 1, 3]
    assert own[0].int().tolist() == [[1, 0, 1], [0, 1, 0]]
    assert chosen[1, 0] == 2
    assert own[1].int().tolist() == [[1, 0, 0], [1, 0, 0]]  # the others fill the row and are nobody's


def test_with_one_text_a_photo_finding_the_source_is_a_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, sigma = torch.randn(2, 3, 5, 3), permutations(2, 3, 5)

    found = log_mass_of_source(logits, torch.eye(3).bool().expand(2, -1, -1), sigma)

    torch.testing.assert_close(-found.mean(), F.cross_entropy(logits.flatten(0, 2), sigma.flatten()))


def test_any_text_of_the_source_may_be_meant_and_one_that_all_photos_have_tells_nothing() -> None:
    logits, sigma = torch.tensor([[[[2.0, 1.0, 0.0]]]]), torch.tensor([[[0]]])

    several = log_mass_of_source(logits, torch.tensor([[[True, True, False], [False, False, True]]]), sigma)
    shared = log_mass_of_source(logits, torch.ones(1, 2, 3).bool(), sigma)

    assert float(several) == pytest.approx(float(logits.softmax(-1)[..., :2].sum().log()), abs=1e-5)
    assert float(shared) == pytest.approx(0, abs=1e-5)


@each_head
def test_the_three_losses_reach_every_parameter(head: Callable) -> None:
    objective = objective_for(head, mix=2)
    torch.nn.init.constant_(objective.progressive[0].gate, 0.5)

    terms = objective(photos_of_kinds(6, right))
    sum(loss for name, loss in terms.items() if not name.startswith("_")).backward()

    assert {"original", "restored", "mixed"} <= terms.keys()
    # A bias of keys shifts all logits of a softmax alike: its gradient is zero by construction.
    silent = {name for name, p in objective.named_parameters() if p.grad is None and p.requires_grad}
    assert silent == set()


def test_losses_can_be_switched_off_and_photos_that_fill_no_tuple_are_not_mixed() -> None:
    batch = photos_of_kinds(7, right)

    alone = objective_for(mix=3, restored_weight=0.0, mixed_weight=0.0)(batch)
    whole = objective_for(mix=3)(batch)

    assert {name for name in alone if not name.startswith("_")} == {"original"}
    assert all(term.isfinite() for term in whole.values())


def test_one_photo_alone_has_nothing_to_be_mixed_with() -> None:
    assert "mixed" not in objective_for(mix=4)(photos_of_kinds(1, right))


def test_photos_without_captions_and_heads_without_groups_are_refused() -> None:
    backbone = TinyBackbone()
    with pytest.raises(DatasetError, match="no captions"):
        objective_for()(Batch(torch.randn(2, 24, 2, 3)))
    with pytest.raises(HeadError, match="'grouping', 'block', or 'residual' of 'block', not 'pacl'"):
        MixReorg(PACLHead.build(backbone), backbone)
    with pytest.raises(TrainingError, match="choose tuple, source or nothing"):
        objective_for(sees="all")


def test_without_progressive_mixing_there_is_nothing_to_be_enhanced() -> None:
    objective = objective_for(sees="nothing")

    assert not list(objective.progressive.parameters())
    assert all(term.isfinite() for term in objective(photos_of_kinds(6, right)).values())


def test_each_token_joins_one_group_and_shares_sum_to_one() -> None:
    torch.manual_seed(0)
    stage, tokens = GroupingStage(24, 2, groups=5), torch.randn(3, 8, 24)

    for training in (True, False):
        stage.train(training)
        new, groups, share = stage(tokens)
        assert new.shape == groups.shape == (3, 5, 24)
        torch.testing.assert_close(share.sum(1), torch.ones(3, 8))

    segments, shares = head_for(TinyBackbone()).group(tokens)
    torch.testing.assert_close(shares.sum(1), torch.ones(3, 8))
    torch.testing.assert_close(segments.norm(dim=-1), torch.ones(3, 3))


def test_a_group_gathers_the_values_of_its_tokens() -> None:
    torch.manual_seed(0)
    stage, tokens = GroupingStage(24, 2, groups=4).eval(), torch.randn(1, 8, 24)

    new, groups, share = stage(tokens)
    seen = stage.layer(torch.cat([tokens, stage.tokens[None]], dim=1))[:, :8]
    winner = share.argmax(1)[0]
    for g in range(4):
        own = stage.value(stage.norm_tokens(seen))[0, winner == g]
        gathered = groups[0, g] + stage.out(own.sum(0) / (len(own) + 1))
        torch.testing.assert_close(new[0, g], gathered + stage.mlp(gathered), atol=1e-5, rtol=1e-5)


@cache
def trained_on(texts: Callable, head: Callable = head_for) -> MixReorg:
    """Trained in threes, with the texts that `texts` chooses for the photos."""
    objective = objective_for(head, mix=3)
    torch.manual_seed(1)
    optimiser = torch.optim.Adam(objective.parameters(), lr=5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        terms = objective(photos_of_kinds(24, texts))
        sum(loss for name, loss in terms.items() if not name.startswith("_")).backward()
        optimiser.step()
    return objective.eval()


@torch.no_grad()
def mixing_accuracy(objective: MixReorg, texts: Callable) -> float:
    """On new photos. Equal texts count as rivals here, so that chance is exactly 1/3."""
    torch.manual_seed(2)
    batch = photos_of_kinds(600, texts)
    batch.caption_ids = None
    return float(objective(batch)["_mixing_accuracy"])


@each_head
def test_with_the_right_texts_the_source_of_mixed_patches_is_found(head: Callable) -> None:
    # Photos of one kind in a tuple cannot be told apart, which leaves 0.84 to be reached in threes out of six kinds.
    assert mixing_accuracy(trained_on(right, head), right) > 0.65


@pytest.mark.parametrize("learnt", [shuffled, right])
def test_with_shuffled_texts_mixing_accuracy_falls_to_chance(learnt: Callable) -> None:
    assert mixing_accuracy(trained_on(learnt), shuffled) == pytest.approx(1 / 3, abs=0.05)
