"""The Segment Anything family through transformers: the same answers as transformers' own processors and models.

Tolerance: logits may differ by float rounding, and a mask by the few pixels whose logit is that near the threshold:
masks must agree to IoU 0.999, scores to 1e-5.
"""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.ops import batched_nms

from tests import tiny_sam
from textseg.errors import Cancelled, WeightsError
from textseg.model import repository, weights
from textseg.proposals import Mask, load_proposer
from textseg.proposals.hf_sam import KINDS, HfSam

SETTINGS = {"points_per_side": 4, "points_per_batch": 10, "pred_iou_thresh": 0.2, "stability_score_thresh": 0.4,
            "box_nms_thresh": 0.999}  # fmt: skip


@pytest.fixture(scope="module", params=tiny_sam.CLICKED)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp(request.param)
    model, processor = tiny_sam.save(request.param, folder)
    proposer = load_proposer(f"hf:{folder}", device="cpu")
    proposer.settings = replace(proposer.settings, **SETTINGS)
    return SimpleNamespace(type=request.param, folder=folder, model=model, processor=processor, proposer=proposer)


@pytest.fixture(params=[(96, 61), (90, 121)], ids=str)
def photo(request: pytest.FixtureRequest) -> Image.Image:
    return picture(*request.param)


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max((one | other).sum(), 1)


@torch.inference_mode()
def theirs(family: SimpleNamespace, photo: Image.Image, binarize: bool = True, **given: Any) -> tuple[Any, Any, Any]:
    """(masks (B, K, H, W), scores (B, K), logits) of transformers' processor, model and post-processing."""
    several, masks = given.pop("several"), given.pop("input_masks", None)
    inputs = dict(family.processor(images=photo, return_tensors="pt", **given))
    sizes = [inputs.pop("original_sizes")]
    if "reshaped_input_sizes" in inputs:
        sizes.append(inputs.pop("reshaped_input_sizes"))
    inputs = {key: value.float() if value.is_floating_point() else value for key, value in inputs.items()}
    found = family.model(**inputs, input_masks=masks, multimask_output=several)
    full = family.processor.post_process_masks(found.pred_masks, *sizes, binarize=binarize)[0]
    return full, found.iou_scores[0], found.pred_masks[0]


PROMPTS = {
    "a point": {"points": [(20, 30, 1)]},
    "points inside and outside": {"points": [(20, 30, 1), (40.5, 12, 1), (5, 5, -1)]},
    "a box": {"box": (5, 6, 40, 45)},
    "a box and points": {"box": (5, 6, 40, 45), "points": [(20, 30, 1), (8, 8, -1)]},
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_equals_transformers(family: SimpleNamespace, photo: Image.Image, prompt: dict) -> None:
    points, box = prompt.get("points", []), prompt.get("box")
    given: dict[str, Any] = {"several": len(points) == 1 and box is None}
    if points:
        given["input_points"] = [[[[float(x), float(y)] for x, y, _ in points]]]
        given["input_labels"] = [[[int(label > 0) for *_, label in points]]]
    if box:
        given["input_boxes"] = [[[float(side) for side in box]]]
    masks, scores, logits = theirs(family, photo, **given)
    opened = family.proposer.open(photo)
    found = opened.prompt(**prompt)
    same(found, masks[0], scores[0])

    best = logits[:, scores[0].argmax()][:, None]
    masks, scores, _ = theirs(family, photo, **given | {"several": False, "input_masks": best})
    same(opened.prompt(**prompt, previous=found[0]), masks[0], scores[0])


def same(found: list[Mask], masks: torch.Tensor, scores: torch.Tensor) -> None:
    order = torch.argsort(-scores, stable=True)
    assert [mask.score for mask in found] == pytest.approx(scores[order].tolist(), abs=1e-5)
    for mask, expected in zip(found, masks[order].numpy(), strict=True):
        assert iou(mask.to_array(), expected) >= 0.999 or not expected.any() and not mask.area


def test_everything_equals_transformers_filters_on_a_grid(family: SimpleNamespace, photo: Image.Image) -> None:
    side, images = SETTINGS["points_per_side"], family.processor.image_processor
    at = [(n + 0.5) / side for n in range(side)]
    grid = [[[x * photo.width, y * photo.height]] for y in at for x in at]
    full, scores, _ = theirs(
        family, photo, binarize=False, input_points=[grid], input_labels=[[[1]] * len(grid)], several=True
    )
    whole = [0, 0, *photo.size]
    found, quality, boxes = images.filter_masks(
        full, scores, photo.size[::-1], whole, SETTINGS["pred_iou_thresh"], SETTINGS["stability_score_thresh"]
    )
    kept = batched_nms(boxes.float(), quality, torch.zeros(len(boxes)), SETTINGS["box_nms_thresh"])
    masks = family.proposer.open(photo).everything()
    assert 0 < len(masks) == len(kept) < 3 * len(grid)
    assert [mask.score for mask in masks] == pytest.approx(quality[kept].tolist(), abs=1e-5)
    for mask, k in zip(masks, kept.tolist(), strict=True):
        counts = found[k]["counts"]
        runs = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
        assert iou(mask.to_array(), runs.reshape(photo.size).T) >= 0.999


def test_a_mask_alone_can_be_corrected(family: SimpleNamespace) -> None:
    photo = picture(60, 60)
    drawn = Mask.from_array(np.indices(photo.size[::-1]).sum(0) < 50, 1.0)
    found = family.proposer.open(photo).prompt(previous=drawn)
    assert len(found) == 1 and found[0].size == photo.size


def test_the_hierarchy_goes_from_small_to_large(family: SimpleNamespace) -> None:
    photo = picture(60, 60)
    areas = [mask.area for mask in family.proposer.open(photo).hierarchy(20, 30)]
    assert areas == sorted(areas) and areas


def test_a_photo_is_encoded_once_for_everything_and_prompts(family: SimpleNamespace) -> None:
    photo = picture(60, 60)
    proposer = HfSam(family.proposer.model, family.proposer._processor, KINDS[family.type], device="cpu")
    proposer.settings = replace(proposer.settings, points_per_side=2)
    calls = []
    handle = proposer.model.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    proposer.open(photo).everything()
    proposer.open(photo.copy()).prompt([(3, 3, 1)])
    handle.remove()
    assert len(calls) == 1


def test_cancelling_stops_between_batches(family: SimpleNamespace) -> None:
    photo = picture(60, 60)
    asked: list[int] = []
    with pytest.raises(Cancelled, match="stopped"):
        family.proposer.open(photo).everything(cancel=lambda: bool(asked.append(1)) or len(asked) > 1)
    assert len(asked) == 2


def test_without_the_processor_s_settings_the_photo_is_prepared_for_the_model_s_size(
    family: SimpleNamespace, tmp_path: Path
) -> None:
    photo = picture(60, 60)
    family.model.save_pretrained(tmp_path)
    bare = load_proposer(f"hf:{tmp_path}", device="cpu")
    assert bare.open(photo).prompt([(20, 30, 1)]) == family.proposer.open(photo).prompt([(20, 30, 1)])


@pytest.fixture
def sam2(tmp_path: Path) -> Path:
    folder = tmp_path / "sam2"
    tiny_sam.save("sam2", folder)
    return folder


def change(folder: Path, **settings: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def test_the_image_model_of_a_video_folder_is_loaded_alone(sam2: Path) -> None:
    photo = Image.new("RGB", (40, 30), (90, 30, 10))
    expected = load_proposer(f"hf:{sam2}", device="cpu").open(photo).prompt([(3, 3, 1)])
    tensors = load_file(sam2 / "model.safetensors")
    save_file(tensors | {"memory_encoder.x": torch.zeros(3)}, sam2 / "model.safetensors", {"format": "pt"})
    change(sam2, model_type="sam2_video")
    assert load_proposer(f"hf:{sam2}", device="cpu").open(photo).prompt([(3, 3, 1)]) == expected


def test_a_folder_of_another_model_type_is_refused_in_one_sentence(sam2: Path) -> None:
    change(sam2, model_type="clip")
    with pytest.raises(
        WeightsError, match=r"is a model of the type 'clip', which proposes no masks; name one of .*sam2"
    ):
        load_proposer(f"hf:{sam2}")


def test_weights_of_another_size_are_refused_in_one_sentence(sam2: Path) -> None:
    tensors = load_file(sam2 / "model.safetensors")
    tensors["no_memory_embedding"] = torch.zeros(1, 1, 7)
    save_file(tensors, sam2 / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"1 of its tensors have another size, the first is no_memory_embedding;"):
        load_proposer(f"hf:{sam2}")


def test_missing_tensors_are_named(sam2: Path) -> None:
    tensors = load_file(sam2 / "model.safetensors")
    del tensors["no_memory_embedding"]
    save_file(tensors, sam2 / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 1 of the tensors .* the first is no_memory_embedding;"):
        load_proposer(f"hf:{sam2}")


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(Bomb.target),))


def test_pickles_are_refused_and_not_read(sam2: Path, tmp_path: Path) -> None:
    Bomb.target = str(tmp_path / "ran")
    (sam2 / "model.safetensors").unlink()
    (sam2 / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin only, a pickle, .* refused; save the model as"):
        load_proposer(f"hf:{sam2}")
    assert not (tmp_path / "ran").exists()


def test_half_a_download_is_refused_in_one_sentence(sam2: Path) -> None:
    content = (sam2 / "model.safetensors").read_bytes()
    (sam2 / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="does not fit 'hf:.*' or is damaged"):
        load_proposer(f"hf:{sam2}")


def test_a_missing_part_of_the_weights_is_told(sam2: Path) -> None:
    (sam2 / "model.safetensors").unlink()
    (sam2 / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
    with pytest.raises(WeightsError, match="has no model.safetensors, or not all of its parts"):
        load_proposer(f"hf:{sam2}")


def test_a_damaged_config_is_told(sam2: Path) -> None:
    (sam2 / "config.json").write_text("[" * 5000)
    with pytest.raises(WeightsError, match=r"config\.json is damaged or names no model type"):
        load_proposer(f"hf:{sam2}")


def test_code_in_a_folder_is_not_run(sam2: Path, tmp_path: Path) -> None:
    (sam2 / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass M: pass\n")
    change(sam2, auto_map={"AutoModel": "evil.M", "AutoConfig": "evil.M"})
    load_proposer(f"hf:{sam2}", device="cpu")
    assert not (tmp_path / "ran").exists()


def test_weights_larger_than_the_free_memory_are_refused(sam2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(WeightsError, match=r"take 0\.0 GB and 0\.0 GB of memory are free; close other programs"):
        load_proposer(f"hf:{sam2}")


def test_a_folder_that_is_none_is_told_with_what_to_do() -> None:
    with pytest.raises(
        WeightsError, match=r"neither a folder \(looked in /.*\) nor a repository of the hub, .* 'regions'"
    ):
        load_proposer("hf:nowhere/at/all")
    with pytest.raises(WeightsError, match="'hf:/nowhere/at/all' names neither a folder nor a repository of the hub"):
        load_proposer("hf:/nowhere/at/all")
    with pytest.raises(WeightsError, match=r"'hf:~nobody-here/x' names neither a folder"):
        load_proposer("hf:~nobody-here/x")


def test_without_a_network_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "reachable", lambda endpoint: False)
    with pytest.raises(
        WeightsError, match=r"someone/nothing is not on this machine, and .* cannot be reached; connect"
    ):
        load_proposer("hf:someone/nothing")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("GatedRepoError", "someone/nothing is gated: accept its terms at .*, log in"),
        ("RepositoryNotFoundError", "There is no repository someone/nothing at .*, or it is private"),
        ("HfHubHTTPError", "the download failed .*; try again"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(error: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import errors

    response = SimpleNamespace(headers={}, request=None, status_code=403)

    def refuse(*arguments: Any, local_files_only: bool = False, **options: Any) -> str:
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not here")
        raise getattr(errors, error)("no", response=response)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "reachable", lambda endpoint: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(WeightsError, match=said):
        load_proposer("hf:someone/nothing")


def test_a_repository_that_is_here_is_used_without_asking_the_hub(sam2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def cached(name: str, local_files_only: bool = False, **options: Any) -> str:
        assert local_files_only
        return str(sam2)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    assert repository.folder("someone/sam2", "hf:someone/sam2", "stop") == sam2
