"""MGCA starts at the backbone's own readout, and each of its three levels does what its formula says."""

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import TinyBackbone
from textseg.errors import HeadError
from textseg.model.conse import ConSE
from textseg.model.heads.mgca import MGCAHead
from trainer.objectives import Batch
from trainer.objectives.contrast import pooled_cosine
from trainer.objectives.mgca import MGCA, Readings, area_prior, total_variation


class ConSEBackbone(TinyBackbone):
    """As `lite`: a classifier's posterior places a position among class names."""

    def alignment(self) -> ConSE:
        torch.manual_seed(3)
        return ConSE(torch.randn(10, 24), torch.randn(10), F.normalize(torch.randn(10, 16), dim=1))


class UnalignedBackbone(TinyBackbone):
    def alignment(self) -> None:
        return None


def batch_of(photos: int = 5) -> Batch:
    torch.manual_seed(1)
    backbone = TinyBackbone()
    return Batch(
        torch.randn(photos, 24, 3, 4),
        backbone.embed([f"caption {i}" for i in range(photos)]),
        nouns=backbone.embed(["dog", "cat", "dog"]),
        noun_ids=torch.tensor([4, 7, 4]),
        noun_owner=torch.tensor([0, 1, 2]),
    )


def objective_for(**config: float) -> MGCA:
    backbone = TinyBackbone()
    return MGCA(MGCAHead.build(backbone), backbone, **config)


@pytest.mark.parametrize("backbone", [TinyBackbone(), ConSEBackbone()], ids=["clip-like", "conse"])
@pytest.mark.parametrize("config", [{}, {"width": 8}, {"width": 8, "corrects": "embedding"}, {"stages": 1}])
def test_an_untrained_head_is_the_nearest_upsampled_baseline(backbone: TinyBackbone, config: dict) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 24, 3, 4)
    head = MGCAHead.build(backbone, **config)

    baseline = backbone.alignment()(features).repeat_interleave(2 ** head.config["stages"], dim=2)
    baseline = baseline.repeat_interleave(2 ** head.config["stages"], dim=3)
    words = backbone.embed(["cat", "sofa"])

    torch.testing.assert_close(head(features), baseline, atol=1e-6, rtol=0)
    torch.testing.assert_close(head.text(words), backbone.alignment().text(words))


@pytest.mark.parametrize("config", [{}, {"width": 8}, {"width": 8, "corrects": "embedding"}])
def test_only_the_decoder_is_trained_and_all_of_it_once_gates_open(config: dict) -> None:
    head = MGCAHead.build(TinyBackbone(), **config)
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            if name.endswith("gate"):
                parameter.fill_(0.5)

    # Each output is a unit vector: only a fixed direction makes their sum sensitive to every parameter.
    (head(torch.randn(2, 24, 3, 4)) * torch.randn(16, 1, 1)).sum().backward()

    trained = {name for name, p in head.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert trained == {name for name, _ in head.named_parameters() if not name.startswith("alignment")}


def test_the_alignment_is_a_clone_that_cannot_change_the_backbone() -> None:
    backbone = TinyBackbone()
    head = MGCAHead.build(backbone)

    head.alignment.project.weight.zero_()

    assert backbone.alignment().project.weight.abs().sum() > 0


def test_a_backbone_without_an_alignment_gets_a_trained_linear_one() -> None:
    head = MGCAHead.build(UnalignedBackbone())

    embedding = head(torch.randn(1, 24, 3, 4))

    assert embedding.shape == (1, 16, 12, 16)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(1, 12, 16))
    assert all(parameter.requires_grad for parameter in head.alignment.parameters())


def test_a_wrong_name_for_what_is_corrected_is_refused() -> None:
    with pytest.raises(HeadError, match="'features' or 'embedding'"):
        MGCAHead.build(TinyBackbone(), corrects="pixels")


@pytest.mark.parametrize("level", ["object", "region", "pixel"])
def test_each_level_can_be_switched_off_alone(level: str) -> None:
    terms = objective_for(**{f"{level}_weight": 0.0})(batch_of())

    assert {name for name in terms if not name.startswith("_")} == {"object", "region", "pixel"} - {level}


@pytest.mark.parametrize("level", ["object", "region", "pixel"])
def test_each_level_alone_trains_the_decoder(level: str) -> None:
    off = {f"{other}_weight": 0.0 for other in {"object", "region", "pixel"} - {level}}
    objective = objective_for(**off)

    objective(batch_of())[level].backward()

    gates = [p.grad.abs() for name, p in objective.head.named_parameters() if name.endswith("gate")]
    assert sum(gates) > 0


def matrices(photos: int = 4, pixels: int = 10) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(2)
    embedding = F.normalize(torch.randn(photos, pixels, 6), dim=-1)
    texts = F.normalize(torch.randn(photos, 6), dim=-1)
    similarity = torch.einsum("bnd,cd->bcn", embedding, texts)
    return embedding, texts, similarity, (10 * similarity).sigmoid(), torch.eye(photos, dtype=torch.bool)


def test_the_object_level_contrasts_mask_pooled_embeddings() -> None:
    embedding, texts, similarity, mask, positive = matrices()
    objective = objective_for()

    pooled = torch.einsum("bcn,bnd->bcd", mask, embedding) / mask.sum(-1, keepdim=True)
    logits = objective.scale() * F.cosine_similarity(pooled, texts, dim=-1)
    expected = (F.cross_entropy(logits, torch.arange(4)) + F.cross_entropy(logits.T, torch.arange(4))) / 2

    torch.testing.assert_close(
        objective.object_level(pooled_cosine(embedding, mask, similarity), positive, torch.zeros_like(positive)),
        expected,
    )


def test_the_region_level_takes_the_hardest_regions_of_other_photos() -> None:
    embedding, texts, similarity, mask, positive = matrices()
    objective = objective_for(k_n=2, q=0.2)
    scale = objective.scale()

    terms = []
    for i, text in enumerate(texts):
        inside = mask[i, i] > 0.5
        if inside.sum() < 2:
            inside = similarity[i, i] >= similarity[i, i].topk(2).values[-1]
        own = F.cosine_similarity(embedding[i, inside].mean(0), text, dim=0)
        others = [
            F.cosine_similarity(embedding[j, similarity[j, i].topk(2).indices].mean(0), text, dim=0)
            for j in range(4)
            if j != i
        ]
        hardest = torch.stack(others).topk(2).values
        terms.append(-(scale * own - torch.cat([own[None], hardest]).mul(scale).logsumexp(0)))

    region = objective.regions(similarity, mask, positive)
    loss = objective.region_level(pooled_cosine(embedding, region, similarity), positive, torch.zeros_like(positive))

    torch.testing.assert_close(loss, torch.stack(terms).mean())


def test_the_pixel_level_sets_weak_pixels_inside_against_strong_ones_outside_and_elsewhere() -> None:
    _, _, similarity, mask, positive = matrices()
    objective = objective_for(k_pix=2, easy=0.0, band=0.1, q=0.1)
    scale = objective.scale()

    terms = []
    for i in range(4):
        own, inside = similarity[i, i], mask[i, i] > 0.5
        clear = (mask[i, i] - 0.5).abs() >= 0.1
        weak = own[inside & clear].sort().values[:2]
        outside = own[~inside & clear].sort(descending=True).values[:2]
        elsewhere = similarity[torch.arange(4) != i, i].flatten().topk(2).values
        for s in weak:
            terms.append(torch.cat([s[None], outside, elsewhere]).mul(scale).logsumexp(0) - scale * s)

    region = objective.regions(similarity, mask, positive)
    nothing = torch.zeros(4)
    seen = Readings(
        nothing, nothing, similarity[positive], mask[positive], region[positive],
        similarity.topk(2, dim=-1).values, nothing, nothing, nothing,
    )  # fmt: skip
    loss = objective.pixel_level(seen, positive, torch.zeros_like(positive))

    assert len(terms) > 4
    torch.testing.assert_close(loss, torch.stack(terms).mean())


def test_what_answers_better_in_another_photo_than_the_own_region_is_taken_for_unsaid() -> None:
    positive = torch.eye(3, dtype=torch.bool)
    cosines = torch.tensor([[0.5, 0.1, 0.2], [0.6, 0.5, 0.1], [0.2, 0.3, 0.5]])  # (photos, texts)
    nobody = torch.zeros_like(positive)
    objective, all_rivals = objective_for(unsaid=-0.1), objective_for()

    believed = objective.region_level(cosines, positive, nobody)
    without = all_rivals.region_level(cosines, positive, nobody | (torch.arange(9).view(3, 3) == 3))

    torch.testing.assert_close(objective.believed(cosines, positive), torch.full((3,), 0.4))
    torch.testing.assert_close(believed, without)  # the 0.6 of the second photo is no counter-example
    assert believed < all_rivals.region_level(cosines, positive, nobody)


def test_unsaid_pixels_of_other_photos_are_no_negatives_either() -> None:
    positive = torch.eye(2, dtype=torch.bool)
    nothing, own = torch.zeros(2), torch.tensor([[0.5, 0.4], [0.5, 0.4]])
    seen = Readings(
        nothing, torch.tensor([[0.45, 0.9], [0.1, 0.45]]), own, own + 0.4, own > 0, torch.full((2, 2, 2), 0.8),
        nothing, nothing, nothing,
    )  # fmt: skip
    nobody = torch.zeros_like(positive)

    assert objective_for(unsaid=0.0, k_pix=2).pixel_level(seen, positive, nobody) < 1e-6  # no rival is left
    assert objective_for(k_pix=2).pixel_level(seen, positive, nobody) > 1


@pytest.mark.parametrize("level", [-100.0, 100.0], ids=["nothing inside", "nothing outside"])
def test_masks_that_are_all_on_or_all_off_give_a_finite_loss(level: float) -> None:
    objective = objective_for()
    torch.nn.init.constant_(objective.mask["b"], level)

    terms = objective(batch_of())
    sum(loss for name, loss in terms.items() if not name.startswith("_")).backward()

    assert all(term.isfinite() for term in terms.values())
    assert all(p.grad is None or p.grad.isfinite().all() for p in objective.parameters())


def test_a_mask_below_its_threshold_gives_the_most_similar_pixels_as_region() -> None:
    _, _, similarity, mask, positive = matrices()

    region = objective_for(q=0.3).regions(similarity, 0.4 * mask, positive)

    assert (region.sum(-1) == 3).all()
    assert (similarity[region].view(4, 4, 3).amin(-1) > similarity.masked_fill(region, -1).amax(-1)).all()


def test_the_priors_are_zero_for_smooth_masks_of_the_wanted_area() -> None:
    positive = torch.eye(3, dtype=torch.bool)
    mask = torch.where(positive[..., None], 0.4, 0.0).expand(3, 3, 8)

    assert area_prior(mask, positive) == pytest.approx(0, abs=1e-6)
    assert area_prior(1 - mask, positive) == pytest.approx(0.2 + 1.0)
    assert torch.equal(total_variation(torch.full((2, 4, 4), 0.7)), torch.zeros(2))
    assert {"area", "smooth"} <= objective_for(area_weight=0.4, smooth_weight=1.0)(batch_of()).keys()


@pytest.mark.parametrize("chunk", [1, 2 * 8 * 12 * 16], ids=["photo by photo", "two photos at a time"])
def test_photos_taken_in_groups_give_the_loss_and_the_gradients_of_all_at_once(chunk, monkeypatch) -> None:
    def learnt(chunk: int) -> tuple[dict[str, float], list[torch.Tensor]]:
        torch.manual_seed(5)
        objective = objective_for(area_weight=0.4, smooth_weight=1.0, k_pix=6)
        for name, parameter in objective.head.named_parameters():
            if name.endswith("gate"):
                torch.nn.init.constant_(parameter, 0.5)
        monkeypatch.setattr("trainer.objectives.mgca.MGCA.read.__defaults__", (chunk,))
        terms = objective(batch_of())
        sum(loss for name, loss in terms.items() if not name.startswith("_")).backward()
        gradients = [p.grad for p in objective.parameters() if p.grad is not None]
        return {name: float(term.detach()) for name, term in terms.items()}, gradients

    whole, parts = learnt(2**24), learnt(chunk)

    assert parts[0] == pytest.approx(whole[0], rel=1e-5)
    assert len(whole[1]) > 10
    torch.testing.assert_close(parts[1], whole[1], atol=1e-6, rtol=1e-4)


def test_no_group_of_photos_holds_more_similarities_than_it_may(monkeypatch) -> None:
    most = 0
    regions = MGCA.regions

    def watched(self, similarity, mask, positive):
        nonlocal most
        most = max(most, similarity.numel())
        return regions(self, similarity, mask, positive)

    monkeypatch.setattr(MGCA, "regions", watched)
    objective, batch = objective_for(), batch_of()
    texts, positive = torch.randn(7, 16), torch.eye(5, 7, dtype=torch.bool)

    objective.read(batch.features, texts, positive, chunk=2 * 7 * 12 * 16 + 3)

    assert most == 2 * 7 * 12 * 16
