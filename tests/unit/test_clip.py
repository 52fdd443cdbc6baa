"""CLIP through open_clip: names, weights, positions, strides; with random models and no network."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from textseg.errors import UnknownNameError, WeightsError
from textseg.model import backbones, load_model, tokenizers, weights
from textseg.model.backbones import clip as open_clips
from textseg.model.towers import plain, tower
from textseg.vocabulary import Vocabulary


@pytest.fixture
def noise() -> Callable[[int, int], Image.Image]:
    """`noise(width, height)`: a photo in which no two places look alike."""

    def make(width: int, height: int) -> Image.Image:
        pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3))
        return Image.fromarray(pixels.astype(np.uint8))

    return make


def one_sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text and text.endswith((".", "?")) and ". " not in text, text
    return text


VARIANTS = {
    "tiny": {},
    "tiny-quickgelu": {"quick_gelu": True},
    "tiny-scaled": {"vision": {"ls_init_value": 0.5}},
    "tiny-mean-pooled": {"vision": {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True}},
    "tiny-mean-pooled-after-norm": {"vision": {"pool_type": "avg"}},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_pooled_embedding_at_native_size_is_open_clips_own(name: str, tiny_clip: Callable, noise: Any) -> None:
    model, file = tiny_clip(name, **VARIANTS[name])
    clip = backbones.load(f"clip:{name}//{file}", "cpu")
    photos = [noise(32, 32), noise(32, 32).transpose(Image.Transpose.ROTATE_90)]
    from open_clip import image_transform

    mean, std = model.visual.image_mean, model.visual.image_std
    pixels = torch.stack([image_transform(32, is_train=False, mean=mean, std=std)(photo) for photo in photos])
    with torch.no_grad():
        expected = F.normalize(model.encode_image(pixels), dim=1)
    torch.testing.assert_close(clip.embed_photos(photos), expected, rtol=0, atol=1e-5)


def test_quick_gelu_makes_a_difference_that_a_local_name_keeps(tiny_clip: Callable, noise: Any) -> None:
    _, file = tiny_clip("tiny")
    tiny_clip("tiny-quickgelu", quick_gelu=True)
    plain = backbones.load(f"clip:tiny//{file}", "cpu").embed_photos([noise(32, 32)])
    quick = backbones.load(f"clip:tiny-quickgelu//{file}", "cpu").embed_photos([noise(32, 32)])
    assert (plain - quick).abs().max() > 1e-3


def test_a_tag_trained_with_quick_gelu_gets_it_under_the_plain_name(
    tiny_clip: Callable, noise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from open_clip import pretrained

    _, file = tiny_clip("tiny")
    tiny_clip("tiny-quickgelu", quick_gelu=True)
    asked = []
    tags = {"openai": {"hf_hub": "someone/tiny/", "quick_gelu": True}, "laion2b": {"hf_hub": "someone/other/"}}
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny", tags)
    monkeypatch.setattr(weights, "fetch", lambda repo, files, wanted: asked.append(repo) or file)
    quick = backbones.load(f"clip:tiny-quickgelu//{file}", "cpu").embed_photos([noise(32, 32)])
    plain = backbones.load(f"clip:tiny//{file}", "cpu").embed_photos([noise(32, 32)])
    tagged = backbones.load("clip:tiny/openai", "cpu")
    assert torch.equal(tagged.embed_photos([noise(32, 32)]), quick)
    assert torch.equal(backbones.load("clip:tiny/laion2b", "cpu").embed_photos([noise(32, 32)]), plain)
    assert asked == ["someone/tiny", "someone/other"]
    assert (tagged.name, tagged.licence) == ("clip:tiny/openai", "MIT")


def test_a_hub_repository_loads_from_its_configuration(
    tiny_clip: Callable, noise: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    model, file = tiny_clip("tiny")
    config = {
        "model_cfg": json.loads(file.with_suffix(".json").read_text()),
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    monkeypatch.setattr(weights, "fetch", lambda repo, files, wanted: tmp_path / files[0])
    clip = backbones.load("clip:hf-hub:someone/tiny", "cpu")
    with torch.no_grad():
        pixels = torch.tensor(np.asarray(noise(32, 32))).permute(2, 0, 1)[None] / 255
        expected = F.normalize(model.encode_image((pixels - 0.5) / 0.25), dim=1)
    torch.testing.assert_close(clip.embed_photos([noise(32, 32)]), expected, rtol=0, atol=1e-5)


def test_a_repository_cannot_have_its_own_code_run(
    tiny_clip: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import transformers

    asked: list[dict[str, Any]] = []

    def asks(name: str, **settings: Any) -> Any:
        asked.append(settings)
        return SimpleNamespace(pad_token="<pad>")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", asks)
    settings = {"trust_remote_code": True, "clean": "lower", "auto_map": {"AutoTokenizer": "evil.Tokenizer"}}
    monkeypatch.setattr(weights, "fetch", lambda repo, files, wanted, **_: tmp_path)
    tokenizers.of_open_clip({"hf_tokenizer_name": "someone/tiny", "tokenizer_kwargs": settings}, tmp_path, "clip:x")
    assert asked == [{"cache_dir": None, "trust_remote_code": False}]
    config = json.loads(tiny_clip("tiny")[1].with_suffix(".json").read_text())
    config["text_cfg"]["hf_model_name"] = "someone/with-code"
    with pytest.raises(WeightsError, match="none of open_clip's own models"):
        open_clips.check(config, "clip:hf-hub:someone/tiny")


def test_positions_of_the_native_grid_are_untouched() -> None:
    embedding = torch.randn(1 + 16, 8)
    assert tower.positions(embedding, (4, 4), (4, 4)) is embedding


def test_positions_keep_rows_and_columns_apart() -> None:
    rows = torch.arange(4.0)[:, None].expand(4, 4).flatten()
    columns = torch.arange(4.0)[None].expand(4, 4).flatten()
    embedding = torch.cat([torch.tensor([[7.0, 7.0]]), torch.stack([rows, columns], 1)])
    resized = tower.positions(embedding, (4, 4), (6, 10))
    assert resized[0].tolist() == [7, 7]
    row, column = resized[1:].unflatten(0, (6, 10)).unbind(2)
    assert torch.allclose(row, row[:, :1]) and torch.allclose(column, column[:1])
    assert (row[:, 0].diff() > 0).all() and (column[0].diff() > 0).all()
    # The middle of the grid stays the middle, as with align_corners=False.
    assert row.mean().item() == pytest.approx(1.5) and column.mean().item() == pytest.approx(1.5)


def test_positions_follow_a_turned_grid() -> None:
    embedding = torch.randn(1 + 16, 3)
    turned = torch.cat([embedding[:1], embedding[1:].unflatten(0, (4, 4)).transpose(0, 1).flatten(0, 1)])
    wide, tall = tower.positions(embedding, (4, 4), (3, 9)), tower.positions(turned, (4, 4), (9, 3))
    torch.testing.assert_close(wide[1:].unflatten(0, (3, 9)), tall[1:].unflatten(0, (9, 3)).transpose(0, 1))


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_a_patch_stays_centred_on_its_cell_at_any_stride(stride: int, tiny_clip: Callable) -> None:
    visual = tiny_clip()[0].visual
    height, width = 16, 24
    pixels = torch.randn(1, 3, height, width)
    surplus = 8 - stride
    bordered = np.pad(pixels[0].numpy(), ((0, 0), *[(surplus // 2, surplus - surplus // 2)] * 2), mode="edge")
    _, tokens, grid = plain.PlainTower(visual).enter(pixels, stride)
    assert grid == (height // stride, width // stride)
    assert tokens.shape == (1, 1 + grid[0] * grid[1], 64)
    resized = tower.positions(visual.positional_embedding, visual.grid_size, grid)
    for i, j in [(0, 0), (0, grid[1] - 1), (grid[0] - 1, 0), (grid[0] // 2, grid[1] // 3)]:
        patch = torch.tensor(bordered[:, i * stride : i * stride + 8, j * stride : j * stride + 8])
        place = 1 + i * grid[1] + j
        expected = visual.ln_pre((visual.conv1.weight * patch).sum((1, 2, 3)) + resized[place])
        torch.testing.assert_close(tokens[0, place], expected, rtol=1e-4, atol=1e-5)


def test_a_finer_stride_gives_a_finer_map_with_the_same_weights(tiny_clip: Callable, noise: Any) -> None:
    _, file = tiny_clip()
    coarse, fine = (backbones.load(f"clip:tiny//{file}{end}", "cpu") for end in ("", "?stride=4"))
    assert (coarse.patch_stride, coarse.multiple) == (8, 8)
    assert (fine.patch_stride, fine.multiple) == (4, 4)
    assert coarse.encode([noise(40, 24)]).shape == (1, 64, 3, 5)
    assert fine.encode([noise(40, 24)]).shape == (1, 64, 6, 10)
    assert fine.name.endswith("?stride=4")
    assert fine.weights_hash == coarse.weights_hash


@pytest.mark.parametrize("stride", ["3", "0", "16"])
def test_a_stride_that_does_not_divide_the_patch_is_refused(stride: str, tiny_clip: Callable) -> None:
    with pytest.raises(WeightsError) as error:
        backbones.load(f"clip:tiny//{tiny_clip()[1]}?stride={stride}", "cpu")
    assert "8" in one_sentence(error)


def test_the_facts_are_those_of_the_model(tiny_clip: Callable) -> None:
    clip = backbones.load(f"clip:tiny//{tiny_clip()[1]}", "cpu")
    assert (clip.feature_dim, clip.text_dim) == (64, 32)
    assert (clip.short_side, clip.window) == (48, 32)
    assert clip.licence == "unknown"


def test_what_features_depend_on_is_in_the_hash(tiny_clip: Callable, tiny_dino: tuple) -> None:
    _, file = tiny_clip()
    proxy = f"proxyclip:dinov2:small//{tiny_dino[1]}"
    hashes = [backbones.load(f"clip:tiny//{file}", "cpu", r).weights_hash for r in ("maskclip", "naclip", proxy)]
    hashes.append(backbones.load(f"clip:tiny-quickgelu//{tiny_clip('tiny-quickgelu', quick_gelu=True)[1]}", "cpu"))
    assert len(set(hashes)) == 4
    assert backbones.load(f"clip:tiny//{file}", "cpu", "naclip").weights_hash == hashes[1]


def test_texts_are_embedded_as_open_clip_does(tiny_clip: Callable) -> None:
    import open_clip

    model, file = tiny_clip()
    clip = backbones.load(f"clip:tiny//{file}", "cpu")
    texts = ["a cat", "", "a photo of a " + "very " * 100 + "long sofa", "猫 🐈", "cat"]
    with torch.no_grad():
        expected = F.normalize(model.encode_text(open_clip.get_tokenizer("tiny")(texts)), dim=1)
    torch.testing.assert_close(clip.embed(texts), expected, rtol=0, atol=1e-5)
    # On its own a text is cut to its own length, beside longer ones it is not.
    torch.testing.assert_close(clip.embed(["cat"]), expected[4:], rtol=0, atol=1e-5)


def test_a_text_tower_without_a_causal_mask_is_embedded_as_open_clip_does(tiny_clip: Callable) -> None:
    import open_clip

    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2, "no_causal_mask": True}
    model, file = tiny_clip("tiny-not-causal", text_cfg=text)
    with torch.no_grad():
        tokens = open_clip.get_tokenizer("tiny-not-causal")(["a cat", "sofa"])
        expected = F.normalize(model.encode_text(tokens), dim=1)
    clip = backbones.load(f"clip:tiny-not-causal//{file}", "cpu")
    torch.testing.assert_close(clip.embed(["a cat", "sofa"]), expected, rtol=0, atol=1e-5)


def test_the_alignment_is_ln_post_projection_and_unit_length(tiny_clip: Callable, noise: Any) -> None:
    model, file = tiny_clip()
    clip = backbones.load(f"clip:tiny//{file}", "cpu", "maskclip")
    features = clip.encode([noise(40, 24)])
    alignment = clip.alignment()
    with torch.no_grad():
        expected = F.normalize(model.visual.ln_post(features[0, :, 1, 2]) @ model.visual.proj, dim=0)
    torch.testing.assert_close(alignment(features)[0, :, 1, 2], expected)
    texts = torch.randn(3, 32)
    assert alignment.text(texts) is texts


@pytest.mark.parametrize("readout", [None, "maskclip", "proxyclip"])
def test_a_photo_of_any_shape_is_labelled(
    readout: str | None, tiny_clip: Callable, tiny_dino: tuple, noise: Any
) -> None:
    if readout == "proxyclip":
        readout = f"proxyclip:dinov2:small//{tiny_dino[1]}"
    model = load_model(f"clip:tiny//{tiny_clip()[1]}", device="cpu", readout=readout)
    words = Vocabulary.parse("cat, sofa, wall")
    for size in [(61, 97), (1, 1), (20, 300), (48, 48)]:
        scene = model.encode(noise(*size))
        assert scene.label(words).ids.shape == (size[1], size[0])
        assert scene.embedding.isfinite().all()
        torch.testing.assert_close(scene.embedding.norm(dim=0).max(), torch.tensor(1.0), rtol=0, atol=1e-4)


def test_an_unknown_readout_is_refused_with_the_known_ones(tiny_clip: Callable) -> None:
    with pytest.raises(UnknownNameError, match="naclip"):
        backbones.load(f"clip:tiny//{tiny_clip()[1]}", "cpu", "bestclip")


def test_safetensors_and_paths_relative_to_the_folder_work(
    tiny_clip: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    save_file(tiny_clip()[0].state_dict(), tmp_path / "tiny.safetensors")
    monkeypatch.chdir(tmp_path)
    assert backbones.load("clip:tiny//tiny.safetensors", "cpu").name == "clip:tiny//tiny.safetensors"


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_weight_file_with_code_in_it_is_refused_and_the_code_does_not_run(
    write: Callable, tiny_clip: Callable, tmp_path: Path
) -> None:
    tiny_clip()
    fuse = tmp_path / "ran"
    with (tmp_path / "bomb.pt").open("wb") as file:
        write({"visual.proj": Bomb(fuse)}, file)
    with pytest.raises(WeightsError) as error:
        backbones.load(f"clip:tiny//{tmp_path}/bomb.pt", "cpu")
    assert "bomb.pt" in one_sentence(error)
    assert not fuse.exists()
    pickle.loads(pickle.dumps(Bomb(fuse)))
    assert fuse.exists()  # it would have


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 torn"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_damaged_weight_file_is_refused_in_one_sentence(
    content: bytes, suffix: str, tiny_clip: Callable, tmp_path: Path
) -> None:
    tiny_clip()
    (tmp_path / f"w.{suffix}").write_bytes(content)
    with pytest.raises(WeightsError) as error:
        backbones.load(f"clip:tiny//{tmp_path}/w.{suffix}", "cpu")
    assert f"w.{suffix}" in one_sentence(error)


def test_weights_of_another_model_are_refused_in_one_sentence(tiny_clip: Callable) -> None:
    tiny_clip("tiny-wide", vision={"width": 96})
    with pytest.raises(WeightsError) as error:
        backbones.load(f"clip:tiny-wide//{tiny_clip()[1]}", "cpu")
    text = one_sentence(error)
    assert "tiny.pt does not fit" in text and "size mismatch for" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clip:", "clip:ViT-B-16/openai"),
        ("clip:ViT-B-16", "clip:ViT-B-16/openai"),
        ("clip:ViT-B-17/openai", "ViT-B-16"),
        ("clip:ViT-B-16/opnai", "openai, laion400m_e31"),
        ("clip:ViT-B-16//nowhere/weights.pt", "nowhere/weights.pt"),
        ("clip:swin_base_patch4_window7_224//w.pt", "no dense readout"),
        ("clip:vit_relpos_medium_patch16_cls_224//w.pt", "no dense readout"),
        ("clip:ViTamin-S/datacomp1b", "(jienengchen/ViTamin-S) are not on this machine"),
        ("clip:ViT-B-16/openai", "HF_HUB_OFFLINE"),
        ("clip:ViT-B-16/openai", "'lite', which works offline"),
        ("clip:hf-hub:someone/something", "someone/something"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_sentence(name: str, said: str) -> None:
    with pytest.raises(WeightsError) as error:
        backbones.load(name, "cpu")
    assert said in one_sentence(error)


def test_an_absolute_path_with_two_slashes_is_pointed_out(tiny_clip: Callable) -> None:
    _, file = tiny_clip()
    with pytest.raises(WeightsError, match="third slash"):
        backbones.load(f"clip:tiny/{file}", "cpu")


def test_without_a_network_the_refusal_comes_at_once_and_nothing_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    def retried(*_: Any, **__: Any) -> None:
        raise AssertionError("the hub was asked although it cannot be reached")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", retried)
    monkeypatch.setattr(weights.urllib.request, "getproxies", dict)
    monkeypatch.delenv("ALL_PROXY", raising=False)
    with pytest.raises(WeightsError) as error:
        backbones.load("clip:ViT-B-16/openai", "cpu")
    assert "https://127.0.0.1:9 cannot be reached" in one_sentence(error)


def test_a_download_that_breaks_off_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("peer closed the connection\nwith details")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "reachable", lambda endpoint: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", broken)
    with pytest.raises(WeightsError) as error:
        backbones.load("clip:ViT-B-16/openai", "cpu")
    assert "peer closed the connection" in one_sentence(error)
