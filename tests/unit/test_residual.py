"""A residual head starts as the untrained alignment, and moves away from it as the head in it learns."""

import pytest
import torch

from tests.tiny import TinyBackbone
from textseg.errors import HeadError
from textseg.model.heads.residual import ResidualHead


class Unaligned(TinyBackbone):
    def alignment(self) -> None:
        return None


each_inner = pytest.mark.parametrize("settings", [{"of": "pacl"}, {"of": "block", "heads": 2, "width": 12, "depth": 2}])


@each_inner
def test_at_the_start_it_answers_as_the_untrained_alignment(settings: dict) -> None:
    backbone, features = TinyBackbone(), torch.randn(2, 24, 3, 4)
    words = torch.randn(5, 16)

    head = ResidualHead.build(backbone, **settings)

    torch.testing.assert_close(head(features), torch.nn.functional.normalize(backbone.alignment()(features), dim=1))
    torch.testing.assert_close(head.text(words), backbone.alignment().text(words))


@each_inner
def test_the_first_step_already_moves_it_and_never_the_alignment(settings: dict) -> None:
    backbone, features = TinyBackbone(), torch.randn(2, 24, 3, 4)
    head = ResidualHead.build(backbone, **settings)

    head(features)[:, 0].sum().backward()

    moved = {name for name, p in head.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved and all(name.startswith("inner") for name in moved)
    assert not any(p.requires_grad for p in head.alignment.parameters())
    assert all(p.requires_grad for p in head.inner.parameters())


def test_where_there_is_nothing_to_start_from_or_to_add_it_says_so() -> None:
    with pytest.raises(HeadError, match="has no alignment of its own to start from; use a head of type 'pacl'"):
        ResidualHead.build(Unaligned())
    with pytest.raises(HeadError, match="is 'of' pacl or block, not 'grouping'"):
        ResidualHead.build(TinyBackbone(), of="grouping")
