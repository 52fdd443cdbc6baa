"""Every registered head: any backbone, any grid, and the same answers from its file."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import TinyBackbone, noise_photo
from textseg.errors import HeadError, TextsegError
from textseg.model import Model, heads
from textseg.model.calibration import Calibration
from textseg.model.heads.block import BlockHead
from textseg.model.heads.pacl import PACLHead
from textseg.vocabulary import Vocabulary
from trainer import objectives


class WideBackbone(TinyBackbone):
    name = "wide"
    feature_dim, text_dim = 1280, 16

    def alignment(self) -> None:
        return None


SMALL = {
    "block": {"heads": 2, "width": 12},
    "grouping": {"heads": 2, "width": 12, "groups": [6, 3]},
    "mgca": {"width": 8, "stages": 1, "corrects": "embedding"},
    "pacl": {},
    "residual": {"of": "block", "heads": 2, "width": 12},
}
each_type = pytest.mark.parametrize("name", sorted(SMALL))


def disturbed(name: str, backbone: TinyBackbone) -> heads.Head:
    """A head none of whose parameters has its first value."""
    torch.manual_seed(0)
    head = heads.get(name).build(backbone, **SMALL[name])
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return head.eval()


@each_type
@pytest.mark.parametrize("grid", [(3, 4), (7, 2), (1, 1)])
def test_embeddings_are_unit_vectors_on_any_grid(name: str, grid: tuple[int, int]) -> None:
    embedding = disturbed(name, TinyBackbone())(torch.randn(2, 24, *grid))

    times = 2 if name == "mgca" else 1
    assert embedding.shape == (2, 16, grid[0] * times, grid[1] * times)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(embedding[:, 0].shape))


@each_type
def test_a_head_answers_the_same_from_its_file(name: str, tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    head, features = disturbed(name, backbone), torch.randn(2, 24, 3, 4)

    heads.save(head, path, backbone, objective="none", seed=0)
    loaded = heads.load(path, backbone)

    assert type(loaded) is type(head) and loaded.config == head.config
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert torch.equal(loaded(features), head.requires_grad_(False)(features))
    words = backbone.embed(["cat", "sofa"])
    assert torch.equal(loaded.text(words), head.text(words))


@each_type
def test_photos_of_one_batch_do_not_see_each_other(name: str) -> None:
    head, features = disturbed(name, TinyBackbone()), torch.randn(3, 24, 3, 4)

    torch.testing.assert_close(head(features)[1:2], head(features[1:2]), atol=1e-5, rtol=1e-4)


@each_type
def test_a_head_labels_photos(name: str) -> None:
    backbone = TinyBackbone()
    model = Model(backbone, disturbed(name, backbone), name)

    label_map = model.encode(noise_photo(96, 64)).label(Vocabulary.parse("cat, sofa, wall"))

    assert label_map.ids.shape == (64, 96) and label_map.ids.min() >= 1


@pytest.mark.parametrize("name", sorted(SMALL.keys() - {"residual"}))  # it has no settings of its own
def test_default_settings_fit_narrow_and_wide_features_and_small_heads_fit_twelve_megabytes(name: str) -> None:
    config = {"width": 24, "heads": 2} if name == "grouping" else {"heads": 2} if name == "block" else {}
    narrow = heads.get(name).build(TinyBackbone(), **config)
    wide = heads.get(name).build(WideBackbone(), **config)

    assert narrow(torch.randn(1, 24, 2, 3)).shape == wide(torch.randn(1, 1280, 2, 3)).shape
    assert sum(p.numel() for p in wide.parameters()) * 4 < 12 * 2**20


@each_type
def test_a_head_made_for_another_backbone_or_other_weights_is_refused(name: str, tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    heads.save(disturbed(name, backbone), path, backbone)
    changed = TinyBackbone()
    changed.weights_hash = "fedcba9876543210"

    with pytest.raises(HeadError, match="trained on 'tiny' and does not fit 'wide'"):
        heads.load(path, WideBackbone())
    with pytest.raises(HeadError, match="trained on other weights"):
        heads.load(path, changed)


def test_the_calibration_of_a_head_is_in_its_file_and_in_its_fingerprint(tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    head = disturbed("pacl", backbone)
    plain = Model(backbone, head, "plain").fingerprint
    head.calibration = Calibration(bias=-1.5, presence=(2.0, 0.5, 0.1))
    heads.save(head, path, backbone)

    loaded = heads.load(path, backbone)

    assert loaded.calibration == head.calibration
    assert Model(backbone, loaded, "calibrated").fingerprint != plain


def test_a_file_without_a_calibration_gives_the_shipped_one(tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    heads.save(disturbed("pacl", backbone), path, backbone)

    assert heads.read_facts(path)["calibration"] is None
    assert heads.load(path, backbone).calibration == Calibration()


@pytest.mark.parametrize("facts", [{"bias": "high"}, {"presence": [1, 2]}, {"gate": float("nan")}, {"new": 1}, [3]])
def test_a_calibration_that_cannot_be_read_is_one_sentence(tmp_path: Path, facts: object) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    heads.save(disturbed("pacl", backbone), path, backbone, calibration=facts)

    with pytest.raises(HeadError, match="The calibration in head.safetensors cannot be used"):
        heads.load(path, backbone)


def test_a_file_whose_tensors_do_not_fit_its_type_is_refused(tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    head = BlockHead.build(backbone, heads=2)
    head.config = {"width": 12, "heads": 2}
    heads.save(head, path, backbone)

    with pytest.raises(HeadError, match="do not fit a head of type 'block'"):
        heads.load(path, backbone)


def test_a_file_with_settings_of_another_version_is_refused(tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    head = PACLHead.build(backbone)
    head.config = {"forgotten": 1}
    heads.save(head, path, backbone)

    with pytest.raises(HeadError, match="not those of a head of type 'pacl' in this version; train it again"):
        heads.load(path, backbone)


def test_a_type_of_head_that_is_not_registered_is_refused(tmp_path: Path) -> None:
    backbone, path = TinyBackbone(), tmp_path / "head.safetensors"
    head = PACLHead.build(backbone)
    head.kind = "unheard of"
    heads.save(head, path, backbone)

    with pytest.raises(TextsegError, match="no head type called 'unheard of'"):
        heads.load(path, backbone)


def test_pacls_embedder_has_the_papers_number_of_parameters() -> None:
    assert sum(p.numel() for p in PACLHead(768, 512).parameters()) == 1_050_112


def test_pacls_embedder_is_a_sum_of_two_branches() -> None:
    head, x = PACLHead.build(TinyBackbone()), torch.randn(1, 24, 1, 1)
    flat = x.flatten()
    (w1, b1), (w2, b2) = ((layer.weight, layer.bias) for layer in (head.main[0], head.main[2]))

    v = head.skip.weight @ flat + head.skip.bias + w2 @ (w1 @ flat + b1).relu() + b2

    torch.testing.assert_close(head.tokens(x).flatten(), v)


def test_a_position_code_fits_any_grid_and_tells_positions_apart() -> None:
    enter = BlockHead.build(TinyBackbone(), heads=2).enter

    for grid in [(1, 1), (3, 5), (20, 31)]:
        code = enter.code(*grid)
        assert len(code) == grid[0] * grid[1]
        assert len(code.round(decimals=4).unique(dim=0)) == len(code)
    # A larger photo of the same view has its codes at the same places.
    small, large = enter.code(2, 2).unflatten(0, (2, 2)), enter.code(6, 6).unflatten(0, (6, 6))
    torch.testing.assert_close(large[1::3, 1::3], small)


def test_every_objective_names_a_registered_head() -> None:
    assert {"pacl", "mgca", "mixreorg", "afss"} <= set(objectives.names())
    for name in ("pacl", "mgca", "mixreorg", "afss"):
        assert objectives.get(name).head_type in heads.names()


def test_a_width_that_attention_heads_cannot_share_is_refused() -> None:
    with pytest.raises(HeadError, match="width of 24 .* 5 attention heads"):
        BlockHead.build(TinyBackbone(), heads=5)


@pytest.mark.parametrize(
    "forged",
    [{"backbone": None}, {"backbone": []}, {"backbone": {}}, {"text": None}, {"text": {}}, {"config": None},
     {"config": {"width": -1}}, {"config": {"width": 10**9}}, {"config": {"width": 10**30}}, {"config": {"heads": 0}},
     {"config": {"width": "x"}}, {"type": []}, {"format": "1"}, {"format": {}}, {"calibration": 5}, 
     {"logit_scale": "x"}, {"backbone": {"name": "a" * 5000}}, {"type": "a" * 5000}],
)  # fmt: skip
def test_forged_facts_are_refused_in_a_sentence_and_take_no_memory(tmp_path, forged):
    path = tmp_path / "forged.safetensors"
    backbone = TinyBackbone()
    heads.save(disturbed("block", backbone), path, backbone)
    facts = heads.read_facts(path)
    config = {"config": facts["config"] | forged["config"]} if isinstance(forged.get("config"), dict) else {}
    save_file(load_file(path), path, metadata={"textseg": json.dumps(facts | forged | config)})
    with pytest.raises(TextsegError, match=r"^.{,500}\.$"):
        heads.load(path, backbone)


@pytest.mark.parametrize("text", ["[]", "null", "5", "x", "{}", "[" * 100_000])
def test_facts_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "forged.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"textseg": text})
    with pytest.raises(TextsegError, match=r"\.$"):
        heads.load(path, TinyBackbone())
