"""Learning from corrections where the head lies on a GPU and the features on disk.

No GPU is needed: PyTorch's fake tensors know their device and refuse to meet tensors of another, as CUDA does.
"""

import copy

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.gpu import Gpu
from tests.tiny import Projection, TinyBackbone
from tests.tiny_learning import make_project
from textseg.model import Model, load_model
from textseg.model.heads.corrected import CorrectedHead
from textseg.vocabulary import Vocabulary
from trainer.corrections.corpus import read
from trainer.corrections.encodings import Encodings
from trainer.corrections.fit import Rivals, embedded, new_head, patches
from trainer.corrections.score import similarities
from trainer.objectives.corrections import Corrections, Patches

GPU = torch.device("cuda", 0)
BASE = {"type": "none", "config": {}}


@pytest.fixture
def corpus(tmp_path):
    project = make_project(tmp_path / "p", photos=2)
    return read(project, Encodings(project, load_model(TinyBackbone(), "none")), 0.0)


@pytest.fixture
def gpu():
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def projection() -> Projection:
    with torch.device("cuda"):
        return Projection(torch.nn.Conv2d(24, 16, 1))


def test_the_patches_of_a_fit_lie_where_the_head_lies(corpus):
    with Gpu() as gpu:
        head = gpu.move(
            CorrectedHead(Projection(torch.nn.Conv2d(24, 16, 1)), BASE, 10.0, 16, [0, 1], 5, ["snow", "ski"])
        )
        assert embedded(head, corpus.photos[0]).device == GPU
        rivals = Rivals(torch.randn(3, 16).to(GPU), torch.arange(3).to(GPU))
        data = Patches.joined(patches(head, corpus, rivals))
        assert {part.device for part in vars(data).values()} == {GPU}


def test_the_loss_of_a_fit_lies_where_the_head_lies(gpu):
    with torch.device("cuda"):
        head = CorrectedHead(projection(), BASE, 10.0, 16, [0, 1], 5, ["snow", "ski"])
        flat = torch.zeros(4, 2)
        data = Patches(torch.zeros(4, 16), flat, flat, flat, flat.long(), flat, torch.zeros(4, dtype=torch.long))
    losses = Corrections(head, TinyBackbone())(data.take(torch.arange(3)))
    assert {term.device for term in losses.values()} == {GPU}


def test_similarities_of_known_features_come_back_for_the_regions(corpus, gpu):
    model = Model(TinyBackbone(), projection(), "none")
    found = similarities(model, corpus.photos[0].features, Vocabulary.parse("red thing, blue thing; sky"))
    assert found.shape == (2, 8, 12) and found.device == torch.device("cpu")


def test_a_new_head_lies_where_the_model_lies(corpus):
    model = Model(TinyBackbone(), copy.deepcopy(TinyBackbone().alignment()).to("meta"), "none")
    head = new_head(model, corpus, 0.0)
    assert {tensor.device.type for tensor in head.state_dict().values()} == {"meta"}
