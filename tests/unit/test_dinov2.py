"""DINOv2 and DINOv3 through timm, with random models and no network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textseg.errors import HeadError, UnknownNameError, WeightsError
from textseg.model import backbones, heads, load_model, weights
from textseg.model.backbones import dinov2


@pytest.fixture
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (48, 80, 3)).astype(np.uint8))


def test_features_are_the_normed_patches_without_class_and_register_tokens(
    tiny_dino: tuple, photo: Image.Image
) -> None:
    net, file = tiny_dino
    dino = backbones.load(f"dinov2:small//{file}", "cpu")
    turned = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    features = dino.encode([photo, turned])
    mean, std = (torch.tensor(net.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
    pixels = torch.stack([torch.tensor(np.asarray(p)).permute(2, 0, 1) / 255 for p in (photo, turned)])
    with torch.no_grad():
        everything = net.forward_features((pixels - mean) / std)
    assert net.num_prefix_tokens == 1
    assert features.shape == (2, net.num_features, 3, 5)
    for b in range(2):
        for i in range(3):
            for j in range(5):
                token = everything[b, net.num_prefix_tokens + i * 5 + j]
                torch.testing.assert_close(features[b, :, i, j], token, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("family", "patch"), [("dino", 8), ("dinov2", 14), ("dinov3", 16)])
def test_the_real_architecture_takes_photos_of_any_shape(
    family: str, patch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    (tmp_path / "unread").write_bytes(b"-")
    monkeypatch.setattr(
        weights, "read", lambda path: timm.create_model(dinov2.MODELS[family]["small"], num_classes=0).state_dict()
    )
    dino = backbones.load(f"{family}:small//{tmp_path}/unread", "cpu")
    assert dino.patch_stride == dino.multiple == patch
    assert dino.short_side % patch == 0
    features = dino.encode([Image.new("RGB", (3 * patch, 2 * patch), "red")])
    assert features.shape == (1, dino.feature_dim, 2, 3) and dino.feature_dim == 384
    assert dino.licence == {"dino": "apache-2.0", "dinov2": "apache-2.0", "dinov3": "dinov3-license"}[family]


def test_nothing_links_it_with_words_before_a_head_is_trained(tiny_dino: tuple) -> None:
    name = f"dinov2:small//{tiny_dino[1]}"
    assert backbones.load(name, "cpu").alignment() is None
    with pytest.raises(HeadError, match="needs a trained head"):
        load_model(name, device="cpu")


def test_words_go_through_minilm_by_default(tiny_dino: tuple) -> None:
    dino = backbones.load(f"dinov2:small//{tiny_dino[1]}", "cpu")
    assert dino.text_dim == 384
    assert dino.embed(["a cat"]).shape == (1, 384)


def test_words_go_through_another_backbone_when_it_is_named(tiny_dino: tuple, tiny_clip: Callable) -> None:
    _, file = tiny_clip()
    name = f"dinov2:small//{tiny_dino[1]}"
    dino, clip = backbones.load(f"{name}+clip:tiny//{file}", "cpu"), backbones.load(f"clip:tiny//{file}", "cpu")
    assert (dino.text_dim, dino.templates) == (32, clip.templates)
    assert torch.equal(dino.embed(["a cat"]), clip.embed(["a cat"]))
    assert dino.weights_hash != backbones.load(name, "cpu").weights_hash


def test_a_head_brings_the_text_side_it_was_trained_with(tiny_dino: tuple, tiny_clip: Callable, tmp_path: Path) -> None:
    name = f"dinov2:small//{tiny_dino[1]}"
    dino = backbones.load(f"{name}+clip:tiny//{tiny_clip()[1]}", "cpu")
    head = heads.get("pacl").build(dino)
    heads.save(head, tmp_path / "head.safetensors", dino)
    model = load_model(name, tmp_path / "head.safetensors", "cpu")
    assert model.name == dino.name and model.backbone.text_dim == 32


@pytest.mark.parametrize("family", dinov2.MODELS)
def test_every_size_is_a_model_that_timm_has_weights_for(family: str) -> None:
    import timm

    known = timm.list_models("vit_*dino*", pretrained=True)
    assert {"small", "base"} <= set(dinov2.MODELS[family])
    assert set(dinov2.MODELS[family].values()) <= set(known)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dinov2:", "small, base, large, giant"),
        ("dinov2:tiny", "small, base, large, giant"),
        ("dinov3:tiny", "dinov3:SIZE"),
        ("dinov2:small", "'lite', which works offline"),
        ("dinov2:base//nowhere.pt", "nowhere.pt"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_sentence(name: str, said: str) -> None:
    with pytest.raises(WeightsError) as error:
        backbones.load(name, "cpu")
    text = str(error.value)
    assert said in text and "\n" not in text and ". " not in text


def test_it_has_no_readouts(tiny_dino: tuple) -> None:
    with pytest.raises(UnknownNameError, match="no readouts"):
        backbones.load(f"dinov2:small//{tiny_dino[1]}", "cpu", "naclip")


def test_a_file_with_anything_but_tensors_is_refused(tiny_dino: tuple, tmp_path: Path) -> None:
    torch.save({"model": Path("x")}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="refused"):
        backbones.load(f"dinov2:small//{tmp_path}/w.pt", "cpu")


def test_weights_that_do_not_fit_are_refused_in_one_sentence(tiny_dino: tuple, tiny_clip: Callable) -> None:
    with pytest.raises(WeightsError) as error:
        backbones.load(f"dinov2:small//{tiny_clip()[1]}", "cpu")
    assert "does not fit" in str(error.value) and "\n" not in str(error.value)
