"""Segment Anything: the same answers as segment_anything's own classes, on a small randomly initialised Sam.

Tolerance: products are taken in another order, so logits may differ by float rounding and a mask by the few pixels
whose logit is that near the threshold: masks must agree to IoU 0.999, scores to 1e-4.
"""

import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from segment_anything.modeling import Sam as SamModel

from textseg.errors import Cancelled, PromptError, WeightsError
from textseg.proposals import Mask, load_proposer, promptable
from textseg.proposals.promptable import Settings
from textseg.proposals.sam import Sam

SETTINGS = {
    "points_per_side": 8,
    "points_per_batch": 10,
    "pred_iou_thresh": 0.9,
    "stability_score_thresh": 0.45,
    "box_nms_thresh": 0.999,  # the masks of a random model all reach across the photo
}


def tiny() -> SamModel:
    side, dim = 128, 32
    grid = side // 16
    return SamModel(
        ImageEncoderViT(
            img_size=side, depth=2, embed_dim=48, num_heads=2, out_chans=dim, window_size=4, use_rel_pos=True,
            global_attn_indexes=(1,), norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        ),
        PromptEncoder(dim, (grid, grid), (side, side), mask_in_chans=16),
        MaskDecoder(
            transformer_dim=dim, transformer=TwoWayTransformer(2, dim, num_heads=4, mlp_dim=64), iou_head_hidden_dim=16
        ),
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def model() -> SamModel:
    torch.manual_seed(3)
    model = tiny()
    for parameter in model.mask_decoder.parameters():
        if parameter.dim() > 1:  # wide enough that masks differ from prompt to prompt
            torch.nn.init.normal_(parameter, std=1.5 / parameter[0].numel() ** 0.5)
    for hypernetwork in model.mask_decoder.output_hypernetworks_mlps:
        hypernetwork.layers[-1].weight.data *= 30
    return model


@pytest.fixture(scope="module")
def sam(model: SamModel) -> Sam:
    return Sam(model, device="cpu", settings=Settings(**SETTINGS))


@pytest.fixture(scope="module", params=[(96, 61), (50, 50), (150, 201)], ids=str)
def photo(request: pytest.FixtureRequest) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize(request.param, Image.Resampling.BICUBIC)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max((one | other).sum(), 1)


def test_everything_equals_the_automatic_mask_generator(model: SamModel, sam: Sam, photo: Image.Image) -> None:
    reference = SamAutomaticMaskGenerator(model, **SETTINGS).generate(np.asarray(photo))
    masks = sam.open(photo).everything()
    assert len(masks) == len(reference) > 1
    for mask, record in zip(masks, reference, strict=True):
        assert mask.score == pytest.approx(record["predicted_iou"], abs=1e-4)
        assert iou(mask.to_array(), record["segmentation"]) >= 0.999
        assert mask.area == pytest.approx(record["area"], rel=1e-3)


PROMPTS = {
    "a point": {"points": [(20, 30, 1)]},
    "points inside and outside": {"points": [(20, 30, 1), (40.5, 12, 1), (5, 5, -1)]},
    "a box": {"box": (5, 6, 40, 45)},
    "a box and points": {"box": (5, 6, 40, 45), "points": [(20, 30, 1), (8, 8, -1)]},
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_equals_the_predictor(model: SamModel, sam: Sam, photo: Image.Image, prompt: dict) -> None:
    predictor = SamPredictor(model)
    predictor.set_image(np.asarray(photo))
    points, box = np.array(prompt.get("points", [])).reshape(-1, 3), prompt.get("box")
    given = {"box": np.array(box) if box else None}
    if len(points):
        given |= {"point_coords": points[:, :2], "point_labels": (points[:, 2] > 0).astype(int)}
    expected = predictor.predict(**given, multimask_output=len(points) == 1 and not box)
    opened = sam.open(photo)
    found = opened.prompt(**prompt)
    same(found, *expected[:2])

    best = expected[1].argmax()
    expected = predictor.predict(**given, mask_input=expected[2][best : best + 1], multimask_output=False)
    same(opened.prompt(**prompt, previous=found[0]), *expected[:2])


def same(found: list[Mask], masks: np.ndarray, scores: np.ndarray) -> None:
    order = np.argsort(-scores, kind="stable")
    assert [mask.score for mask in found] == pytest.approx(scores[order].tolist(), abs=1e-4)
    for mask, expected in zip(found, masks[order], strict=True):
        assert iou(mask.to_array(), expected) >= 0.999


def test_fewer_prompts_at_a_time_give_the_same_masks(model: SamModel, photo: Image.Image, monkeypatch) -> None:
    whole = Sam(model, device="cpu", settings=Settings(**SETTINGS)).open(photo).everything()
    monkeypatch.setattr(promptable, "WORKING_BYTES", 1)
    one_by_one = Sam(model, device="cpu", settings=Settings(**SETTINGS)).open(photo).everything()
    assert len(one_by_one) == len(whole)
    assert all(iou(a.to_array(), b.to_array()) >= 0.999 for a, b in zip(one_by_one, whole, strict=True))


def test_a_photo_is_encoded_once_for_everything_and_prompts(model: SamModel, photo: Image.Image) -> None:
    calls = []
    handle = model.image_encoder.register_forward_hook(lambda *_: calls.append(1))
    sam = Sam(model, device="cpu", settings=Settings(**SETTINGS))
    sam.open(photo).everything()
    sam.open(photo.copy()).prompt([(3, 3, 1)])
    handle.remove()
    assert len(calls) == 1


def test_embeddings_are_kept_within_the_stated_bytes(model: SamModel) -> None:
    sam = Sam(model, device="cpu", max_bytes=3 * 32 * 8 * 8 * 4)
    for grey in range(6):
        sam.open(Image.new("RGB", (40, 40), (grey, grey, grey))).prompt([(3, 3, 1)])
        assert sam.nbytes <= sam.max_bytes


def test_a_mask_of_another_proposer_can_be_corrected(sam: Sam, photo: Image.Image) -> None:
    drawn = Mask.from_array(np.indices(photo.size[::-1]).sum(0) < 50, 1.0)
    found = sam.open(photo).prompt([(20, 30, 1)], previous=drawn)
    assert len(found) == 1 and found[0].size == photo.size


def test_the_hierarchy_goes_from_small_to_large(sam: Sam, photo: Image.Image) -> None:
    areas = [mask.area for mask in sam.open(photo).hierarchy(20, 30)]
    assert areas == sorted(areas)


def test_masks_that_no_point_earns_are_an_empty_answer(model: SamModel, photo: Image.Image) -> None:
    assert (
        Sam(model, device="cpu", settings=Settings(points_per_side=2, pred_iou_thresh=1e9)).open(photo).everything()
        == []
    )


def test_cancelling_stops_between_batches(sam: Sam, photo: Image.Image) -> None:
    asked = []
    with pytest.raises(Cancelled, match="stopped"):
        sam.open(photo).everything(cancel=lambda: asked.append(1) or len(asked) > 3)
    assert len(asked) == 4


def test_a_point_outside_the_photo_is_refused(sam: Sam, photo: Image.Image) -> None:
    with pytest.raises(PromptError, match="outside the photo"):
        sam.open(photo).prompt([(1000, 3, 1)])


def test_a_checkpoint_of_another_size_is_refused_in_one_sentence(model: SamModel, tmp_path) -> None:
    file = tmp_path / "small.pth"
    torch.save(model.state_dict(), file)
    with pytest.raises(
        WeightsError, match=r"small\.pth does not hold a Segment Anything vit_b: .* first is [\w.]+; name"
    ):
        load_proposer(f"sam:vit_b//{file}")


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(Bomb.target),))


def test_code_in_a_checkpoint_is_not_run(tmp_path) -> None:
    Bomb.target = str(tmp_path / "ran")
    file = tmp_path / "bomb.pth"
    file.write_bytes(pickle.dumps({"image_encoder.pos_embed": Bomb()}))
    with pytest.raises(WeightsError, match="bomb.pth"):
        load_proposer(f"sam:vit_b//{file}")
    torch.save({"image_encoder.pos_embed": Bomb()}, file)
    with pytest.raises(WeightsError, match="bomb.pth"):
        load_proposer(f"sam:vit_b//{file}")
    assert not (tmp_path / "ran").exists()


def test_a_torn_checkpoint_is_refused_in_one_sentence(tmp_path) -> None:
    file = tmp_path / "torn.pth"
    file.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(WeightsError, match="torn.pth"):
        load_proposer(f"sam:vit_b//{file}")


def test_a_missing_checkpoint_says_where_it_was_looked_for(tmp_path) -> None:
    with pytest.raises(WeightsError, match="nowhere.pth"):
        load_proposer(f"sam:vit_b//{tmp_path}/nowhere.pth")


def test_an_unknown_size_is_refused(tmp_path) -> None:
    with pytest.raises(WeightsError, match="sam:vit_b, sam:vit_l or sam:vit_h"):
        load_proposer("sam:vit_x")


def test_a_fitting_checkpoint_loads_with_its_weights(tmp_path, monkeypatch) -> None:
    import segment_anything

    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", tiny)
    torch.manual_seed(0)
    original = tiny()
    torch.save(original.state_dict(), tmp_path / "tiny.pth")
    loaded = load_proposer(f"sam:vit_b//{tmp_path}/tiny.pth", device="cpu")
    photo = Image.new("RGB", (40, 30), (90, 30, 10))
    expected = Sam(original, device="cpu").open(photo).prompt([(3, 3, 1)])
    assert loaded.open(photo).prompt([(3, 3, 1)]) == expected
