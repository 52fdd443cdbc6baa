"""SAM 3: words and clicks as transformers answers them, the photo encoded once.

Tolerance: a mask may differ in the few pixels whose probability is within float rounding of the threshold: masks must
agree to IoU 0.999, scores and heat to 1e-5.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from tests import tiny_sam
from textseg.errors import Cancelled, PromptError, WeightsError
from textseg.model import pretrained
from textseg.model.encodings import EncodingStore
from textseg.proposals import Mask, Naming, hf_sam3, load_proposer
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("cat; kitten, red sofa, wall")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As published: the detector and the tracker behind one encoder."""
    folder = tmp_path_factory.mktemp("sam3")
    tiny_sam.save("sam3_video", folder)
    return folder


@pytest.fixture(scope="module")
def theirs(folder: Path) -> SimpleNamespace:
    """transformers' own detector and processor of that folder."""
    model = pretrained.read("Sam3Model", folder, "theirs")
    return SimpleNamespace(model=model, processor=transformers.Sam3Processor.from_pretrained(folder))


@pytest.fixture(scope="module")
def proposer(folder: Path) -> Any:
    return load_proposer(f"hf:{folder}", device="cpu")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The detector, saved without its tracker."""
    folder = tmp_path_factory.mktemp("detector")
    tiny_sam.save("sam3", folder)
    return load_proposer(f"hf:{folder}", device="cpu")


def picture(width: int = 96, height: int = 61, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max((one | other).sum(), 1)


@torch.inference_mode()
def asked(theirs: SimpleNamespace, photo: Image.Image, text: str) -> tuple[dict, np.ndarray, np.ndarray, float]:
    """(instances, semantic map, its probabilities, presence) of transformers' text path."""
    inputs = theirs.processor(images=photo, text=text, return_tensors="pt")
    sizes = inputs.pop("original_sizes").tolist()
    found = theirs.model(**inputs)
    (instances,) = theirs.processor.post_process_instance_segmentation(found, target_sizes=sizes)
    (semantic,) = theirs.processor.post_process_semantic_segmentation(found, target_sizes=sizes)
    heat = found.semantic_seg[0, 0].sigmoid().numpy()
    return instances, semantic.bool().numpy(), heat, float(found.presence_logits.sigmoid())


@pytest.mark.parametrize("size", [(96, 61), (90, 121)], ids=str)
def test_words_are_answered_as_transformers_answers_them(proposer: Any, theirs: SimpleNamespace, size: tuple) -> None:
    photo, vocabulary = picture(*size), Vocabulary.parse("cat, red sofa, wall")
    found = proposer.open(photo).named(vocabulary)
    assert [one.word for one in found] == [1, 2, 3]
    for one, word in zip(found, vocabulary, strict=True):
        instances, semantic, heat, presence = asked(theirs, photo, word.name)
        assert one.presence == pytest.approx(presence, abs=1e-5)
        np.testing.assert_allclose(one.heat, heat, atol=1e-5)
        assert iou(one.whole().to_array(), semantic) >= 0.999 or not semantic.any()
        order = instances["scores"].argsort(descending=True, stable=True)
        assert [mask.score for mask in one.masks] == pytest.approx(instances["scores"][order].tolist(), abs=1e-5)
        for mask, expected in zip(one.masks, instances["masks"][order].bool().numpy(), strict=True):
            assert iou(mask.to_array(), expected) >= 0.999 or not expected.any() and not mask.area
    assert any(one.masks for one in found)


def test_the_photo_and_each_text_are_encoded_once(folder: Path) -> None:
    proposer = load_proposer(f"hf:{folder}", device="cpu")
    seen, read = [], []
    proposer.detector.model.vision_encoder.backbone.register_forward_hook(lambda *_: seen.append(1))
    proposer.detector.model.text_encoder.register_forward_hook(lambda *_: read.append(1))
    opened = proposer.open(picture())
    assert isinstance(opened, Naming)
    opened.named(WORDS)
    opened.named(Vocabulary.parse("wall, cat"))
    opened.prompt([(20, 30, 1)])
    proposer.open(picture()).named(WORDS)
    assert (len(seen), len(read)) == (1, 4)


def test_a_word_has_the_best_of_its_names(proposer: Any) -> None:
    opened = proposer.open(picture())
    both, cat, kitten = (opened.named(Vocabulary.parse(words))[0] for words in ("cat; kitten", "cat", "kitten"))
    assert both.presence == max(cat.presence, kitten.presence)
    np.testing.assert_array_equal(both.heat, np.maximum(cat.heat, kitten.heat))
    assert len(cat.masks) <= len(both.masks) <= len(cat.masks) + len(kitten.masks)


def test_clicks_are_answered_by_the_tracker(proposer: Any, folder: Path, tmp_path: Path) -> None:
    """The same masks as of a folder that holds the tracker with an encoder of its own."""
    own, encoder = proposer.model, tiny_sam.make("sam3_tracker")
    encoder.load_state_dict(own.state_dict(), strict=False)
    encoder.vision_encoder.backbone.load_state_dict(proposer.detector.model.vision_encoder.backbone.state_dict())
    encoder.save_pretrained(tmp_path)
    tiny_sam.processor("sam3_tracker").save_pretrained(tmp_path)
    reference, photo = load_proposer(f"hf:{tmp_path}", device="cpu"), picture()
    for prompt in ({"points": [(20, 30, 1)]}, {"box": (5, 6, 40, 45), "points": [(20, 30, 1), (8, 8, -1)]}):
        assert proposer.open(photo).prompt(**prompt) == reference.open(photo).prompt(**prompt)


def test_everything_is_the_trackers(proposer: Any) -> None:
    from dataclasses import replace

    proposer.settings = replace(
        proposer.settings, points_per_side=3, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
    )
    assert len(proposer.open(picture()).everything()) == 27


def test_embeddings_on_disk_answer_the_same(folder: Path, tmp_path: Path) -> None:
    answers, seen = [], []
    for _ in range(2):
        proposer = load_proposer(f"hf:{folder}", device="cpu")
        proposer.detector.model.vision_encoder.backbone.register_forward_hook(lambda *_: seen.append(1))
        opened = proposer.open(picture())
        opened.keep_in(EncodingStore(tmp_path), "0" * 64)
        answers.append((opened.prompt([(20, 30, 1)]), [one.masks for one in opened.named(WORDS)]))
    assert answers[0] == answers[1] and len(seen) == 1


def test_a_detector_alone_answers_words_like_the_whole(alone: Any) -> None:
    found = alone.open(picture()).named(WORDS)
    assert [one.word for one in found] == [1, 2, 3] and all(0 <= one.presence <= 1 for one in found)


def test_a_detector_alone_answers_clicks_by_examples(alone: Any) -> None:
    opened = alone.open(picture())
    assert opened.everything() == opened.answer("object").masks
    box = (5, 6, 60, 55)
    for mask in opened.prompt([(20, 30, 1), (90, 5, -1)], box=box):
        pixels = mask.to_array()
        assert pixels[30, 20] and not pixels[5, 90]
    drawn = Mask.from_array(np.indices((61, 96)).sum(0) < 50, 1.0)
    assert isinstance(opened.prompt(previous=drawn), list)
    areas = [mask.area for mask in opened.hierarchy(20, 30)]
    assert areas == sorted(areas)
    with pytest.raises(PromptError, match="outside the photo"):
        opened.prompt([(1000, 3, 1)])


@torch.inference_mode()
def test_a_box_of_an_example_is_put_as_transformers_puts_it(alone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_sam3, "SCORE", 0.0)
    photo, box = picture(), [5.0, 6.0, 60.0, 55.0]
    processor = tiny_sam.processor("sam3")
    inputs = processor(images=photo, input_boxes=[[box]], input_boxes_labels=[[1]], return_tensors="pt")
    sizes = inputs.pop("original_sizes").tolist()
    found = alone.detector.model(**inputs)
    (instances,) = processor.post_process_instance_segmentation(found, threshold=0.0, target_sizes=sizes)
    scores = [mask.score for mask in alone.open(photo).prompt(box=tuple(box))]
    assert sorted(scores) == pytest.approx(sorted(instances["scores"].tolist()), abs=1e-5) and scores


def test_cancelling_stops_between_words(alone: Any) -> None:
    with pytest.raises(Cancelled, match="stopped"):
        alone.open(picture()).named(WORDS, cancel=lambda: True)


def test_a_folder_without_the_tracker_s_weights_is_told(folder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "half")
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {key: value for key, value in tensors.items() if not key.startswith("tracker_neck")},
        tmp_path / "half/model.safetensors", {"format": "pt"},
    )  # fmt: skip
    with pytest.raises(WeightsError, match=r"of the tensors that its tracker needs.*vision_encoder\.neck"):
        load_proposer(f"hf:{tmp_path / 'half'}")


def test_a_folder_without_a_tokenizer_is_told(tmp_path: Path) -> None:
    tiny_sam.make("sam3").save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="The tokenizer of 'hf:.*' is not in .*; put its tokenizer.json there"):
        load_proposer(f"hf:{tmp_path}")


def test_a_word_longer_than_the_text_encoder_reads_is_cut(proposer: Any) -> None:
    assert proposer.open(picture()).named(Vocabulary.parse("very " * 20 + "long"))[0].heat.shape == (32, 32)
