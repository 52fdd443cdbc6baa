"""The embedded backbone: its weights under timm's names, and what it sees without any training."""

import pytest
import torch

from textseg.errors import WeightsError
from textseg.model.backbones.lite import imagenet_names, renamed, timm_name
from textseg.model.embedding import embed_words


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.running_mean", "bn1.running_mean"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"),
        ("_blocks.3._bn2.bias", "blocks.1.2.bn3.bias"),
        ("_blocks.20._depthwise_conv.weight", "blocks.6.0.conv_dw.weight"),
        ("_fc.bias", "classifier.bias"),
    ],
)
def test_a_weight_goes_by_its_name(given, expected):
    assert timm_name(given) == expected


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(WeightsError, match="do not fit"):
        renamed({"_fc.bias": torch.zeros(3)}, {"classifier.bias": torch.zeros(4)})


def test_the_classifier_sees_a_cat_where_the_cat_is(lite, sample):
    backbone = lite.backbone
    features = backbone.encode([sample("chelsea").resize((448, 320))])
    assert features.shape == (1, 1280, 20, 28)
    head = lite.head
    logits = torch.einsum("dhw,cd->chw", features[0], head.weight) + head.bias[:, None, None]
    named = imagenet_names()
    assert "cat" in named[int(logits.mean((1, 2)).argmax())].lower()


def test_the_names_that_were_embedded_beforehand_are_those_that_would_be_embedded_now(lite):
    some = [0, 281, 999]
    fresh = embed_words(lite.backbone.embed, [imagenet_names()[i] for i in some], "scene")
    torch.testing.assert_close((lite.head.names + lite.head.half_mean)[some], fresh, atol=1e-3, rtol=0)
