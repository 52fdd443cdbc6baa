"""Everything on one device: a whole answer on a GPU, with no copy between devices but what comes in and goes out."""

import numpy as np
import pytest
import torch

import textseg
from tests import tiny_sam
from tests.gpu import DEVICE, Gpu, OnGpu
from tests.tiny import Projection, TinyBackbone, noise_photo, tiny_model
from textseg.model import Model
from textseg.proposals.hf_sam import KINDS, HfSam
from textseg.pseudolabel import label_regions
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("cat; kitten, sofa, wall", "sky")
PHOTO = noise_photo(96, 64)


class GpuBackbone(TinyBackbone):
    """The tiny backbone with its weights on the GPU: photos go there, features stay."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        gpu.move(self._conv)
        gpu.move(self._project)

    def encode(self, photos):
        self.encoded += 1
        pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).permute(0, 3, 1, 2)
        return self._conv(pixels.to(DEVICE).float() / 127.5 - 1)

    def embed(self, texts):
        return super().embed(texts).to(DEVICE)


def model_on(gpu: Gpu) -> Model:
    backbone = GpuBackbone(gpu)
    return Model(backbone, Projection(backbone._project), "none")


def test_the_pretended_gpu_refuses_what_cuda_refuses():
    with Gpu() as gpu:
        there = torch.ones(3, 4).to(DEVICE)
        assert isinstance(there, OnGpu) and (there @ there.T).device == DEVICE
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3, 4)
        with pytest.raises((RuntimeError, TypeError)):
            there.numpy()
        assert there.sum().item() == 12 and there.cpu().numpy().sum() == 12
    assert gpu.copies == {"to": 12, "from": 12}


@pytest.mark.parametrize("others", [None, ["snow", "ski", "tree"]], ids=["closed", "open"])
@pytest.mark.parametrize(
    ("by", "refine"),
    [("pixel", None), ("pixel", "none"), ("unit", None), ("slic", None), ("proposal", None), ("pixel", "guided"),
     ("pixel", "pamr"), ("pixel", "mask_vote")],
)  # fmt: skip
def test_a_photo_is_labelled_on_the_device(by, refine, others):
    asked = {"by": by, "refine": refine, "others": others}
    expected = textseg.segment(tiny_model().encode(PHOTO), WORDS, **asked)
    with Gpu() as gpu:
        scene = model_on(gpu).encode(PHOTO)
        assert {scene.features.device, scene.embedding.device} == {DEVICE}
        gpu.copies.clear()
        labels = textseg.segment(scene, WORDS, **asked)
    assert (labels.ids == expected.ids).mean() > 0.99


def test_what_leaves_the_device_is_the_answer():
    pixels, cells = PHOTO.width * PHOTO.height, len(WORDS) * 8 * 12
    for refine, most in (("none", 2 * pixels + 2 * cells), ("regions", 5 * cells)):
        with Gpu() as gpu:
            scene = model_on(gpu).encode(PHOTO)
            gpu.copies.clear()
            textseg.segment(scene, WORDS, refine=refine, others=None)
        assert gpu.copies["from"] <= most, refine  # an id and a score a pixel, or the grid and a row a region
        assert gpu.copies["to"] < pixels, refine


def test_masks_are_named_on_the_device():
    expected = label_regions(tiny_model().encode(PHOTO), WORDS, others=None)
    with Gpu() as gpu:
        found = label_regions(model_on(gpu).encode(PHOTO), WORDS, others=None)
    assert [one.word for one in found.regions] == [one.word for one in expected.regions]


@pytest.mark.parametrize("model_type", ["sam", "sam2"])
def test_masks_are_found_on_the_device(model_type):
    def opened(model):
        processor = tiny_sam.processor(model_type).image_processor
        return HfSam(model, processor, KINDS[model_type], device=str(next(model.parameters()).device)).open(PHOTO)

    expected = opened(tiny_sam.make(model_type)).prompt([(20, 30, 1)])
    with Gpu() as gpu:
        found = opened(gpu.move(tiny_sam.make(model_type))).prompt([(20, 30, 1)])
    assert [mask.score for mask in found] == pytest.approx([mask.score for mask in expected], abs=1e-5)
