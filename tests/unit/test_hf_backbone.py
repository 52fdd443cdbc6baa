"""`hf:`: image-text models of transformers from folders that transformers wrote, with random weights and no network."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from textseg.errors import UnknownNameError, WeightsError
from textseg.model import backbones, load_model
from textseg.vocabulary import Vocabulary

from .conftest import shake

WORDS = ["<pad>", "</s>", "<unk>", "a", "cat", "sofa", "wall", "photo", "of", "the"]
TEXTS = ["a photo of a cat", "sofa", ""]
SIDE, PATCH, WIDTH = 32, 8, 32

SMALL = {"hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
VISION = {**SMALL, "image_size": SIDE, "patch_size": PATCH}
TEXT = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 12, "pad_token_id": 0, "eos_token_id": 1}
ROBERTA = {**TEXT, "project_dim": 24, "max_position_embeddings": 14}
TIPS = {key: value for key, value in VISION.items() if key != "intermediate_size"}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("CLIP", {"vision_config": VISION, "text_config": TEXT, "projection_dim": 16}),
    "metaclip_2": ("MetaClip2", {"vision_config": VISION, "text_config": TEXT, "projection_dim": 16}),
    "altclip": ("AltCLIP", {"vision_config": VISION, "text_config": ROBERTA, "projection_dim": 16}),
    "chinese_clip": ("ChineseCLIP", {"vision_config": VISION, "text_config": TEXT, "projection_dim": 16}),
    "siglip": ("Siglip", {"vision_config": VISION, "text_config": TEXT}),
    "siglip2": ("Siglip2", {"vision_config": {**VISION, "num_patches": 16}, "text_config": TEXT}),
    "tipsv2": ("Tipsv2", {"vision_config": TIPS, "text_config": TEXT}),
}
CLASS_TOKEN = ["clip", "metaclip_2", "altclip", "chinese_clip", "tipsv2"]
POOL = ["siglip", "siglip2"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Path]]:
    """`saved(model_type)` gives (transformers' model, the folder with it, its tokenizer and its processor)."""
    import transformers

    made: dict[str, tuple[Any, Path]] = {}

    def make(kind: str) -> tuple[Any, Path]:
        if kind not in made:
            name, settings = MODELS[kind]
            config = getattr(transformers, f"{name}Config")(**settings)
            model = getattr(transformers, f"{name}Model")(config).eval()
            shake(model)
            for scalar in ("logit_scale", "temperature"):
                if hasattr(model, scalar):
                    getattr(model, scalar).data.fill_(0.5)
            folder = tmp_path_factory.mktemp(kind)
            model.save_pretrained(folder)
            write_tokenizer(folder)
            write_processor(folder, name)
            made[kind] = model, folder
        return made[kind]

    return make


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def write_processor(folder: Path, name: str) -> None:
    import transformers

    kind = getattr(transformers, f"{'CLIP' if name in ('MetaClip2', 'AltCLIP') else name}ImageProcessor")
    if name == "Siglip2":
        kind(patch_size=PATCH, max_num_patches=16, image_mean=[0.4] * 3, image_std=[0.3] * 3).save_pretrained(folder)
    elif name == "Tipsv2":
        kind(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    else:
        square = {"height": SIDE, "width": SIDE}
        kind(size=square, crop_size=square, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]).save_pretrained(
            folder
        )


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def theirs(kind: str, folder: Path, photo: Image.Image) -> dict[str, torch.Tensor]:
    """What transformers' own processor makes of a photo."""
    from transformers import AutoImageProcessor

    return dict(AutoImageProcessor.from_pretrained(folder, local_files_only=True)(photo, return_tensors="pt"))


@pytest.mark.parametrize("kind", MODELS)
def test_whole_photos_and_texts_are_embedded_as_transformers_does(kind: str, saved: Callable) -> None:
    from transformers import AutoTokenizer

    model, folder = saved(kind)
    ours = backbones.load(f"hf:{folder}", "cpu")
    photo = noise(SIDE, SIDE)
    padding = "max_length" if kind in (*POOL, "tipsv2") else "longest"
    tokens = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=padding, max_length=12, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        expected = F.normalize(model.get_image_features(**theirs(kind, folder, photo)).pooler_output, dim=1)
        texts = F.normalize(model.get_text_features(**tokens).pooler_output, dim=1)
    torch.testing.assert_close(ours.embed_photos([photo]), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.embed(TEXTS), texts, rtol=0, atol=1e-5)
    assert ours.text_dim == expected.shape[1] == texts.shape[1]


def dense(ours: Any, photo: Image.Image) -> torch.Tensor:
    """(h * w, E) unit embeddings of one photo that is encoded whole."""
    with torch.no_grad():
        return ours.alignment()(ours.encode([photo]))[0].flatten(1).T


@pytest.mark.parametrize("kind", CLASS_TOKEN)
def test_plain_tokens_are_those_of_transformers_through_the_projection(kind: str, saved: Callable) -> None:
    model, folder = saved(kind)
    ours = backbones.load(f"hf:{folder}", "cpu", "clip")
    photo = noise(SIDE, SIDE)
    with torch.no_grad():
        tokens = model.vision_model(**theirs(kind, folder, photo)).last_hidden_state[0, -16:]
        if kind != "tipsv2":  # transformers leaves the tokens of these before the last norm
            tokens = model.visual_projection(model.vision_model.post_layernorm(tokens))
    torch.testing.assert_close(dense(ours, photo), F.normalize(tokens, dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", POOL)
def test_the_readout_of_an_attention_pool_is_its_value_path(kind: str, saved: Callable) -> None:
    model, folder = saved(kind)
    ours = backbones.load(f"hf:{folder}", "cpu")
    photo = noise(SIDE, SIDE)
    head = model.vision_model.head
    with torch.no_grad():
        tokens = model.vision_model(**theirs(kind, folder, photo)).last_hidden_state[0]
        weight, bias = head.attention.in_proj_weight[2 * WIDTH :], head.attention.in_proj_bias[2 * WIDTH :]
        rows = []
        for token in tokens:
            value = head.attention.out_proj(weight @ token + bias)
            rows.append(value + head.mlp(head.layernorm(value)))
    torch.testing.assert_close(dense(ours, photo), F.normalize(torch.stack(rows), dim=1), rtol=0, atol=1e-5)
    assert ours.readout == "maskclip" and "sc_clip" not in ours.readouts


@pytest.mark.parametrize("kind", ["clip", "tipsv2"])
def test_maskclip_keeps_the_values_of_the_last_layer(kind: str, saved: Callable) -> None:
    model, folder = saved(kind)
    ours = backbones.load(f"hf:{folder}", "cpu", "maskclip")
    photo = noise(SIDE, SIDE)
    vision = model.vision_model
    last = vision.encoder.layers[-1] if kind == "clip" else vision.encoder.layer[-1]
    entering = []
    hook = last.register_forward_pre_hook(lambda module, arguments: entering.append(arguments[0]))
    with torch.no_grad():
        vision(**theirs(kind, folder, photo))
        hook.remove()
        x = entering[0][0, -16:]
        if kind == "clip":
            x = x + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(x)))
            x = vision.post_layernorm(x + last.mlp(last.layer_norm2(x)))
            x = model.visual_projection(x)
        else:
            x = x + last.layer_scale1(last.attention.o_proj(last.attention.v_proj(last.norm1(x))))
            x = vision.layernorm(x + last.layer_scale2(last.mlp(last.norm2(x))))
    torch.testing.assert_close(dense(ours, photo), F.normalize(x, dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_a_photo_of_any_shape_is_labelled(kind: str, saved: Callable) -> None:
    model = load_model(f"hf:{saved(kind)[1]}", device="cpu")
    scene = model.encode(noise(50, 33))
    assert scene.label(Vocabulary.parse("cat, sofa, wall")).ids.shape == (33, 50)
    assert scene.embedding.isfinite().all()


def test_scale_and_bias_are_the_models_own(saved: Callable) -> None:
    siglip, clip, tips = (backbones.load(f"hf:{saved(kind)[1]}", "cpu") for kind in ("siglip", "clip", "tipsv2"))
    assert siglip.trained_scale == siglip.logit_scale == pytest.approx(np.exp(0.5))
    assert siglip.trained_bias == saved("siglip")[0].logit_bias.item()
    assert (clip.logit_scale, clip.trained_bias) == (40, None) and tips.trained_scale == 2


def test_a_finer_stride_works_as_with_clip(saved: Callable) -> None:
    fine = backbones.load(f"hf:{saved('siglip2')[1]}?stride=4", "cpu")
    assert fine.encode([noise(40, 24)]).shape == (1, WIDTH, 6, 10)


def test_a_pickle_of_nothing_but_tensors_is_read_and_one_with_code_is_refused(saved: Callable, tmp_path: Path) -> None:
    from .test_clip import Bomb

    model, folder = saved("clip")
    copy = shutil.copytree(folder, tmp_path / "clip")
    (copy / "model.safetensors").unlink()
    torch.save(model.state_dict(), copy / "pytorch_model.bin")
    photo = noise(SIDE, SIDE)
    expected = backbones.load(f"hf:{folder}", "cpu").embed_photos([photo])
    torch.testing.assert_close(backbones.load(f"hf:{copy}", "cpu").embed_photos([photo]), expected)
    torch.save({"logit_scale": Bomb(tmp_path / "ran")}, copy / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="could run code"):
        backbones.load(f"hf:{copy}", "cpu")
    assert not (tmp_path / "ran").exists()


def test_no_code_of_a_folder_is_run(saved: Callable, tmp_path: Path) -> None:
    copy = shutil.copytree(saved("clip")[1], tmp_path / "clip")
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    for file, entry in [
        ("config.json", {"AutoModel": "evil.Model"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["evil.T", None]}),
    ]:
        settings = json.loads((copy / file).read_text())
        (copy / file).write_text(json.dumps(settings | {"auto_map": entry}))
    clip = backbones.load(f"hf:{copy}", "cpu")
    try:
        clip.embed(["cat"])
    except WeightsError as error:
        assert ". " not in str(error)
    assert not (tmp_path / "ran").exists()


def broken(folder: Path, what: str) -> None:
    """Spoil a folder in one way."""
    config = json.loads((folder / "config.json").read_text())
    if what == "another type":
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    elif what == "another size":
        config["projection_dim"] = 8
        (folder / "config.json").write_text(json.dumps(config))
    elif what == "no type":
        (folder / "config.json").write_text("{}")
    elif what == "half a download":
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    elif what == "no weights":
        (folder / "model.safetensors").unlink()
    elif what == "no config":
        (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("another type", "type 'bert'"),
        ("another size", "another size"),
        ("no type", "names no model type"),
        ("half a download", "damaged"),
        ("no weights", "no model.safetensors"),
        ("no config", "no config.json"),
    ],
)
def test_a_folder_that_is_no_such_model_is_refused_in_one_sentence(
    what: str, said: str, saved: Callable, tmp_path: Path
) -> None:
    copy = shutil.copytree(saved("clip")[1], tmp_path / "clip")
    broken(copy, what)
    with pytest.raises(WeightsError) as error:
        backbones.load(f"hf:{copy}", "cpu")
    text = str(error.value)
    assert said in text and "\n" not in text and ". " not in text and text.endswith(".")


@pytest.mark.parametrize(
    ("name", "said"),
    [("hf:", "owner/name"), ("hf:nowhere", "owner/name"), ("hf:someone/something", "HF_HUB_OFFLINE")],
)
def test_a_name_that_leads_nowhere_is_refused_in_one_sentence(name: str, said: str) -> None:
    with pytest.raises(WeightsError) as error:
        backbones.load(name, "cpu")
    assert said in str(error.value) and ". " not in str(error.value)


@pytest.mark.parametrize(("status", "said"), [(401, "gated"), (404, "There is no repository")])
def test_a_repository_that_is_gated_or_missing_is_told_as_such(
    status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx
    import huggingface_hub
    from huggingface_hub import constants, errors

    from textseg.model import weights

    def refused(*_: Any, local_files_only: bool = False, **__: Any) -> None:
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not here")
        kind = errors.GatedRepoError if status == 401 else errors.RepositoryNotFoundError
        raise kind("refused", response=httpx.Response(status, request=httpx.Request("GET", "https://hub")))

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "reachable", lambda endpoint: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    with pytest.raises(WeightsError, match=said) as error:
        backbones.load("hf:someone/something", "cpu")
    assert ". " not in str(error.value)
    with pytest.raises(WeightsError, match="gated" if status == 401 else "There is no repository") as error:
        backbones.load("clip:hf-hub:someone/something", "cpu")
    assert ". " not in str(error.value) and "hf auth login" in str(error.value)


def test_a_folder_without_a_tokenizer_encodes_and_says_what_is_missing(saved: Callable, tmp_path: Path) -> None:
    copy = shutil.copytree(saved("siglip")[1], tmp_path / "siglip")
    for file in copy.glob("tokenizer*"):
        file.unlink()
    clip = backbones.load(f"hf:{copy}", "cpu")
    assert clip.encode([noise(SIDE, SIDE)]).shape == (1, WIDTH, 4, 4)
    with pytest.raises(WeightsError, match=r"The tokenizer of .* is not in .*; put its tokenizer.json there"):
        clip.embed(["cat"])


def test_a_readout_that_the_tower_has_not_is_refused(saved: Callable) -> None:
    with pytest.raises(UnknownNameError, match="needs a class token"):
        backbones.load(f"hf:{saved('siglip')[1]}", "cpu", "sc_clip")
