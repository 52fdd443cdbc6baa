"""The image towers of open_clip: real configurations, made shallow and narrow, with random weights and no network."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from textseg.errors import UnknownNameError, WeightsError
from textseg.model import backbones, load_model, readouts, towers
from textseg.vocabulary import Vocabulary

from .conftest import shake

WORDS = ["<pad>", "</s>", "<unk>", "[SEP]", "a", "cat", "sofa", "wall", "photo", "of", "the"]
TEXTS = ["a photo of a cat", "sofa", ""]
DEPTH, WIDTH = 3, 64

SMALL = {
    "ViT-B-32": {"vision_cfg": {"image_size": 64, "layers": DEPTH, "width": WIDTH, "head_width": 16}},
    "ViT-H-14-CLIPA": {"vision_cfg": {"image_size": 56, "layers": DEPTH, "width": WIDTH, "head_width": 16}},
    "coca_ViT-B-32": {"vision_cfg": {"image_size": 64, "layers": DEPTH, "width": WIDTH, "head_width": 16}},
    "EVA01-g-14": {},
    "EVA02-B-16": {},
    "EVA02-E-14": {},
    "ViT-B-16-SigLIP": {"embed_dim": WIDTH},
    "ViT-SO400M-14-SigLIP2-378": {"embed_dim": WIDTH},
    "PE-Core-T-16-384": {},
    "PE-Core-B-16": {},
    "MobileCLIP-B": {},
    "MobileCLIP2-S0": {},
    "convnext_base": {},
    "convnext_large_d": {},
    "ViTamin-S": {},
    "vit_medium_patch16_gap_256": {},
    "RN50": {"vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 8}},
}
"""What is changed of each configuration; timm's part is changed in `shrunk`, as its names stand for whole models."""

TOWERS = list(SMALL)


@pytest.fixture(scope="module", autouse=True)
def shrunk() -> Iterator[None]:
    """timm's factories make the same kinds of models, but shallow ones, and narrow where the stem lets them."""
    import timm.models as models

    def shallow(make: Callable, changes: dict[str, Any]) -> Callable:
        def smaller(variant: str, pretrained: bool = False, **settings: Any) -> Any:
            size = {"img_size": side(variant)} if "depth" in changes else {}
            return make(variant, **{**settings, **changes, **size, "pretrained": pretrained})

        return smaller

    vit = {"depth": DEPTH, "embed_dim": WIDTH, "num_heads": 4, "weight_init": "skip"}
    factories = [
        (models.eva, "_create_eva", {"depth": DEPTH, "embed_dim": WIDTH, "num_heads": 4, "attn_pool_num_heads": 4}),
        (models.vision_transformer, "_create_vision_transformer", vit),
        (models.vision_transformer_hybrid, "_create_vision_transformer_hybrid", {"depth": 3}),
        (models.vitamin, "_create_vitamin", {"depth": 1}),
        (models.convnext, "_create_convnext", {"depths": (1, 1, 1, 1), "dims": (8, 16, 32, 64)}),
        (models.fastvit, "_create_fastvit", {"layers": (1, 1, 1, 1), "embed_dims": (16, 32, 64, 128)}),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module, name, changes in factories:
            patch.setattr(module, name, shallow(getattr(module, name), changes))
        yield


def side(timm_name: str) -> int:
    """Pixels of the photos of a shrunk model; those of patch 14 do not divide it, as in SigLIP's 384."""
    return 60 if "patch14" in timm_name else 64


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shrunk: None) -> Callable[[str], tuple[Any, Path]]:
    """`made(name)` gives (open_clip's model, its weight file) of a configuration; the words of texts are few."""
    import open_clip
    from open_clip import factory

    folder = tmp_path_factory.mktemp("towers")
    make_tokenizer(folder)
    kept: dict[str, tuple[Any, Path]] = {}

    def make(name: str) -> tuple[Any, Path]:
        if name not in kept:
            config = open_clip.get_model_config(name)
            changes = SMALL[name]
            config["vision_cfg"].update(changes.get("vision_cfg", {}))
            if config["vision_cfg"].get("timm_model_name"):
                config["vision_cfg"]["image_size"] = side(config["vision_cfg"]["timm_model_name"])
            config["embed_dim"] = changes.get("embed_dim", 48)
            config["text_cfg"].update({"width": 32, "heads": 2, "layers": 2})
            if config["text_cfg"].get("hf_tokenizer_name"):
                config["text_cfg"]["vocab_size"] = len(WORDS)
            if "multimodal_cfg" in config:
                config["multimodal_cfg"].update({"width": 32, "heads": 2, "layers": 1})
            factory._MODEL_CONFIGS[name] = config
            model = open_clip.create_model(name).eval()
            shake(model)
            model.logit_scale.data.fill_(4.0)
            path = folder / f"{name}.pt"
            torch.save(model.state_dict(), path)
            kept[name] = model, path
        return kept[name]

    yield make
    factory._rescan_model_configs()


def make_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixels_of(photo: Image.Image, mean: tuple, std: tuple) -> torch.Tensor:
    pixels = torch.tensor(np.asarray(photo)).permute(2, 0, 1)[None].float() / 255
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def own_pixels(name: str, photo: Image.Image) -> torch.Tensor:
    """As the model's pretrained weights want them."""
    from open_clip import list_pretrained_tags_by_model
    from open_clip.pretrained import get_pretrained_cfg

    tags = list_pretrained_tags_by_model(name)
    facts = get_pretrained_cfg(name, tags[0]) if tags else {}
    openai = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return pixels_of(photo, facts.get("mean", openai[0]), facts.get("std", openai[1]))


@pytest.mark.parametrize("name", TOWERS)
def test_whole_photos_and_texts_are_embedded_as_open_clip_does(name: str, made: Callable) -> None:
    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu")
    photo = noise(ours.tower.native, ours.tower.native)
    with torch.no_grad():
        expected = F.normalize(model.encode_image(own_pixels(name, photo)), dim=1)
        texts = F.normalize(model.encode_text(ours.tokenize(TEXTS)), dim=1)
    torch.testing.assert_close(ours.embed_photos([photo]), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.embed(TEXTS), texts, rtol=0, atol=1e-5)
    assert ours.tokenize(TEXTS).shape[1] == made(name)[0].context_length or name.startswith("coca")


@pytest.mark.parametrize("name", TOWERS)
def test_every_readout_that_a_tower_has_reads_photos_of_any_shape(name: str, made: Callable) -> None:
    _, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu")
    tower = ours.tower
    pixels = torch.randn(2, 3, 2 * tower.patch, 3 * tower.patch)
    alignment = ours.alignment()
    for readout in ours.readouts:
        second = {"proxy": torch.randn(2, 5, 2, 3)} if readouts.get(readout).second else {}
        with torch.no_grad():
            entered = tower.enter(pixels, tower.patch)
            features = readouts.get(readout).on(tower.has)(*entered, **second)
            assert features.shape == (2, ours.feature_dim, 2, 3) and features.isfinite().all()
            assert alignment(features).shape == (2, ours.text_dim, 2, 3)


@pytest.mark.parametrize("name", TOWERS)
def test_nothing_of_a_tower_stays_behind_on_another_device(name: str, made: Callable) -> None:
    """The meta device refuses to be mixed with the CPU, as a GPU does."""
    tower = towers.of(copy.deepcopy(made(name)[0].visual).to("meta"), name)
    pixels = torch.empty(1, 3, 2 * tower.patch, 3 * tower.patch, device="meta")
    with torch.no_grad():
        for readout in map(readouts.get, readouts.of(tower.has)):
            second = {"proxy": torch.empty(1, 5, 2, 3, device="meta")} if readout.second else {}
            features = readout.on(tower.has)(*tower.enter(pixels, tower.patch), **second)
            assert tower.alignment()(features).device.type == "meta"
        blocks, tokens, grid = tower.enter(pixels, tower.patch)
        assert tower.pool(towers.through(blocks, tokens), grid).device.type == "meta"


@pytest.mark.parametrize("name", ["coca_ViT-B-32", "ViT-B-16-SigLIP", "MobileCLIP2-S0"])
def test_a_photo_is_labelled(name: str, made: Callable) -> None:
    scene = load_model(f"clip:{name}//{made(name)[1]}", device="cpu").encode(noise(90, 64))
    assert scene.label(Vocabulary.parse("cat, sofa, wall")).ids.shape == (64, 90)


def dense(ours: Any, photo: Image.Image, readout: str | None = None) -> torch.Tensor:
    """(h, w, E) unit embeddings of one photo that is encoded whole."""
    with torch.no_grad():
        return ours.alignment()(ours.encode([photo]))[0].permute(1, 2, 0)


@pytest.mark.parametrize("name", ["MobileCLIP2-S0", "convnext_base", "convnext_large_d"])
def test_a_convolutional_tower_is_its_map_through_its_own_head(name: str, made: Callable) -> None:
    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu")
    trunk = model.visual.trunk
    photo = noise(96, 160)
    with torch.no_grad():
        image = trunk.forward_features(own_pixels(name, photo))[0]
        for y, x in [(0, 0), (1, 2), (image.shape[1] - 1, image.shape[2] - 1)]:
            single = model.visual.head(trunk.forward_head(image[None, :, y : y + 1, x : x + 1]))[0]
            torch.testing.assert_close(dense(ours, photo)[y, x], F.normalize(single, dim=0), rtol=0, atol=1e-5)
    assert image.shape[1:] == (160 // 32, 96 // 32) and ours.readouts == ["clip"]


def test_the_mean_of_fastvits_dense_embeddings_is_the_pooled_one(made: Callable) -> None:
    model, file = made("MobileCLIP2-S0")
    ours = backbones.load(f"clip:MobileCLIP2-S0//{file}", "cpu")
    photo = noise(64, 96)
    with torch.no_grad():
        embeddings = ours.alignment().steps(ours.encode([photo]).movedim(1, 3))
        pooled = model.encode_image(own_pixels("MobileCLIP2-S0", photo))
    torch.testing.assert_close(embeddings.mean((1, 2)), pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "PE-Core-T-16-384", "PE-Core-B-16"])
def test_the_readout_of_timms_attention_pool_is_its_value_path(name: str, made: Callable) -> None:
    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu")
    trunk, side = model.visual.trunk, model.visual.image_size[0]
    photo = noise(side, side)
    with torch.no_grad():
        tokens = trunk.forward_features(own_pixels(name, photo))[0, trunk.num_prefix_tokens :]
        pool = trunk.attn_pool
        weight, bias = pool.kv.weight[WIDTH:], pool.kv.bias[WIDTH:]
        for y, x in [(0, 0), (1, 2), (3, 3)]:
            value = pool.proj.weight @ (weight @ tokens[y * (side // 16) + x] + bias) + pool.proj.bias
            value = value + pool.mlp(pool.norm(value))
            expected = F.normalize(model.visual.head(trunk.head(value)), dim=0)
            torch.testing.assert_close(dense(ours, photo)[y, x], expected, rtol=0, atol=1e-5)
    assert ours.readout == "maskclip"
    assert torch.equal(ours.encode([photo]), backbones.load(ours.name, "cpu", "clip").encode([photo]))


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "PE-Core-B-16", "coca_ViT-B-32", "RN50"])
def test_a_pool_over_one_token_gives_what_the_value_path_gives(name: str, made: Callable) -> None:
    """Softmax over a single key is 1: the tower's own pool is the reference."""
    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu")
    token = torch.randn(1, 1, ours.feature_dim)
    visual = model.visual
    with torch.no_grad():
        if name == "RN50":
            attention = visual.attnpool
            pooled = attention.c_proj(attention.v_proj(token))[:, 0]
        elif name.startswith("coca"):
            pooled = visual.ln_post(visual.attn_pool(token))[:, 0] @ visual.proj
        else:
            trunk = visual.trunk
            pooled = visual.head(trunk.head(trunk.attn_pool(trunk.norm(token))))
    expected = F.normalize(pooled, dim=1)
    torch.testing.assert_close(ours.alignment()(token.movedim(2, 1)[..., None])[..., 0, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["EVA02-B-16", "EVA01-g-14", "MobileCLIP-B"])
def test_maskclip_of_a_class_token_tower_keeps_the_values_of_the_last_block(name: str, made: Callable) -> None:
    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu", "maskclip")
    trunk, side = model.visual.trunk, model.visual.image_size[0]
    photo = noise(side, side)
    entering = []
    last = trunk.blocks[-1]
    hook = last.register_forward_pre_hook(lambda module, arguments: entering.append(arguments[0]))
    with torch.no_grad():
        trunk.forward_features(own_pixels(name, photo))
        hook.remove()
        x = entering[0]
        normed, attention = last.norm1(x), last.attn
        if attention.qkv is None:
            value = attention.v_proj(normed)
        else:
            bias = attention.qkv.bias[-x.shape[2] :] if attention.qkv.bias is not None else attention.v_bias
            value = normed @ attention.qkv.weight[-x.shape[2] :].T + bias
        x = x + attention.proj(attention.norm(value))
        x = trunk.norm(x + last.mlp(last.norm2(x)))[:, 1:]
        expected = F.normalize(model.visual.head(trunk.head(x)), dim=2)[0]
    torch.testing.assert_close(dense(ours, photo).flatten(0, 1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["EVA02-B-16", "EVA02-E-14", "ViTamin-S", "vit_medium_patch16_gap_256"])
def test_plain_tokens_are_those_that_timm_gives(name: str, made: Callable) -> None:
    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu", "clip")
    trunk, side = model.visual.trunk, model.visual.image_size[0]
    photo = noise(side, side)
    with torch.no_grad():
        tokens = trunk.forward_features(own_pixels(name, photo))[:, trunk.num_prefix_tokens :]
        expected = F.normalize(model.visual.head(trunk.head(trunk.fc_norm(tokens))), dim=2)[0]
    torch.testing.assert_close(dense(ours, photo).flatten(0, 1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["EVA02-B-16", "PE-Core-B-16"])
def test_rotations_follow_the_grid(name: str, made: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """timm's own model for photos of any size is the reference; its table of positions is resized another way."""
    import timm.models as models

    model, file = made(name)
    ours = backbones.load(f"clip:{name}//{file}", "cpu", "clip")
    create = models.eva._create_eva
    monkeypatch.setattr(models.eva, "_create_eva", lambda *a, **k: create(*a, **k, dynamic_img_size=True))
    import open_clip

    flexible = open_clip.create_model(name).eval()
    flexible.load_state_dict(model.state_dict())
    for trunk in (flexible.visual.trunk, ours.tower.trunk):
        trunk.pos_embed.data.zero_()
    photo = noise(96, 160)
    with torch.no_grad():
        tokens = flexible.visual.trunk.forward_features(own_pixels(name, photo))[:, 1:]
        expected = tokens.transpose(1, 2).unflatten(2, (10, 6))
        torch.testing.assert_close(
            ours.tower.trunk.norm(ours.encode([photo]).movedim(1, 3)).movedim(3, 1), expected, rtol=0, atol=1e-4
        )


def test_a_readout_that_a_tower_has_not_is_refused_with_those_it_has(made: Callable) -> None:
    for name, readout, said in [
        ("MobileCLIP2-S0", "naclip", "needs transformer blocks"),
        ("ViT-B-16-SigLIP", "sc_clip", "needs a class token"),
        ("RN50", "gem", "choose one of maskclip, clip"),
    ]:
        with pytest.raises(UnknownNameError) as error:
            backbones.load(f"clip:{name}//{made(name)[1]}", "cpu", readout)
        text = str(error.value)
        assert said in text and text.endswith(".") and ". " not in text


def test_the_default_readout_is_one_that_fits_the_pooling() -> None:
    from textseg.model.towers import ATTENTION_POOL, BLOCKS, CLASS_TOKEN

    assert readouts.of({BLOCKS, CLASS_TOKEN})[0] == readouts.DEFAULT
    assert readouts.of({BLOCKS, ATTENTION_POOL})[:1] == ["maskclip"]
    assert readouts.of({BLOCKS})[0] == "clip" and "sc_clip" not in readouts.of({BLOCKS})
    assert readouts.of(set()) == ["clip"]


def test_a_stride_finer_than_the_patch_needs_patches_that_one_convolution_makes(made: Callable) -> None:
    fine = backbones.load(f"clip:EVA02-B-16//{made('EVA02-B-16')[1]}?stride=8", "cpu", "clip")
    assert fine.encode([noise(64, 48)]).shape[2:] == (6, 8)
    for name in ("MobileCLIP-B", "convnext_base"):
        with pytest.raises(WeightsError, match="leave out .stride"):
            backbones.load(f"clip:{name}//{made(name)[1]}?stride=8", "cpu")


def test_a_sigmoid_model_brings_its_own_scale_and_bias(made: Callable) -> None:
    siglip = backbones.load(f"clip:ViT-B-16-SigLIP//{made('ViT-B-16-SigLIP')[1]}", "cpu")
    bias = made("ViT-B-16-SigLIP")[0].logit_bias.item()
    assert siglip.trained_scale == siglip.logit_scale == pytest.approx(np.exp(4)) and siglip.trained_bias == bias
    plain = backbones.load(f"clip:ViT-B-32//{made('ViT-B-32')[1]}", "cpu")
    assert (plain.logit_scale, plain.trained_bias) == (40, None) and plain.trained_scale == pytest.approx(np.exp(4))


def test_what_a_configuration_beside_the_weights_says_of_pixels_is_taken(made: Callable, tmp_path: Path) -> None:
    model, file = made("ViT-B-32")
    (tmp_path / "weights.pt").write_bytes(file.read_bytes())
    config = {"preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    ours = backbones.load(f"clip:ViT-B-32//{tmp_path}", "cpu")
    with torch.no_grad():
        expected = F.normalize(model.encode_image(pixels_of(noise(64, 64), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))), dim=1)
    torch.testing.assert_close(ours.embed_photos([noise(64, 64)]), expected, rtol=0, atol=1e-5)


def test_a_tokenizer_that_is_nowhere_is_told_as_such_and_photos_are_encoded_all_the_same(
    made: Callable, tmp_path: Path
) -> None:
    (tmp_path / "weights.pt").write_bytes(made("ViT-B-16-SigLIP")[1].read_bytes())
    model = load_model(f"clip:ViT-B-16-SigLIP//{tmp_path}/weights.pt", device="cpu")
    scene = model.encode(noise(64, 64))
    with pytest.raises(WeightsError) as error:
        scene.similarity(Vocabulary.parse("cat"))
    text = str(error.value)
    assert text.startswith("The tokenizer of 'clip:ViT-B-16-SigLIP//") and "tokenizer.json" in text
    assert str(tmp_path) in text and "damaged" not in text and ". " not in text


def test_another_models_tokenizer_is_told_as_such(made: Callable, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(made("ViT-B-16-SigLIP")[1].read_bytes())
    make_tokenizer(tmp_path)
    settings = json.loads((tmp_path / "tokenizer.json").read_text())
    settings["model"]["vocab"] |= {"zebra": 500}
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    ours = backbones.load(f"clip:ViT-B-16-SigLIP//{tmp_path}", "cpu")
    assert ours.embed(["cat"]).isfinite().all()
    with pytest.raises(WeightsError, match=r"numbers up to 500, but its text tower knows 11: .* another model"):
        ours.embed(["zebra"])


def test_weights_that_do_not_fit_the_memory_are_refused(made: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(WeightsError, match=r"GB of memory are free; close other programs"):
        backbones.load(f"clip:ViT-B-32//{made('ViT-B-32')[1]}", "cpu")


def test_the_pages_fall_back_to_lite_where_the_tokenizer_is_missing(made: Callable, tmp_path: Path) -> None:
    from textseg.web.engine import Engine

    (tmp_path / "weights.pt").write_bytes(made("ViT-B-16-SigLIP")[1].read_bytes())
    engine = Engine(f"clip:ViT-B-16-SigLIP//{tmp_path}")
    engine.start(then=lambda model: None)
    assert engine.model().name == "lite" and "The tokenizer of" in engine.status()["notice"]


def test_a_tokenizer_without_padding_is_refused_in_one_sentence(made: Callable, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(made("ViT-B-16-SigLIP")[1].read_bytes())
    make_tokenizer(tmp_path)
    settings = json.loads((tmp_path / "tokenizer.json").read_text())
    settings["model"]["vocab"] = {f"word{n}": n for n in range(10)} | {"<unk>": 10}
    settings["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    with pytest.raises(WeightsError, match="no token to pad texts with"):
        load_model(f"clip:ViT-B-16-SigLIP//{tmp_path}", device="cpu").backbone.embed(["cat"])


@pytest.mark.parametrize("files", [[], ["a.pt", "b.pt"]])
def test_a_folder_without_one_weight_file_is_refused(files: list[str], tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(WeightsError, match="name the file"):
        backbones.load(f"clip:ViT-B-32//{tmp_path}", "cpu")


def test_what_a_family_has_is_known_before_one_of_its_towers_is_loaded(made: Callable) -> None:
    import open_clip

    for name in TOWERS:
        family = towers.family(open_clip.get_model_config(name)["vision_cfg"])
        tower = backbones.load(f"clip:{name}//{made(name)[1]}", "cpu").tower
        assert family is not None and towers.get(family).has == tower.has, name


def test_every_image_tower_but_two_is_of_a_family() -> None:
    import open_clip

    families = {name: towers.family(open_clip.get_model_config(name)["vision_cfg"]) for name in open_clip.list_models()}
    without = {name for name, family in families.items() if family is None}
    assert without == {"swin_base_patch4_window7_224", "vit_relpos_medium_patch16_cls_224"}


def test_a_tower_that_changed_its_parts_is_refused_when_it_is_built() -> None:
    import open_clip

    with torch.device("meta"):
        model = open_clip.create_model("swin_base_patch4_window7_224", device="meta")
    with pytest.raises(WeightsError, match="SwinTransformer, which has no dense readout"):
        towers.of(model.visual, "clip:swin")


def test_every_text_tower_that_needs_the_hub_says_so(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(WeightsError, match="configuration of the text tower of .* .xlm-roberta-base. is not on this"):
        backbones.load(f"clip:xlm-roberta-base-ViT-B-32//{tmp_path}/w.pt", "cpu")
