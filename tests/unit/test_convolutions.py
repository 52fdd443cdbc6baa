"""Convolutions made ready to be asked only answer as those they were made of."""

import copy

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from textseg.model.convolutions import Pointwise, linear, pointwise, ready


class Block(nn.Module):
    """A pointwise convolution with its normalisation and activation, a depthwise one, and one that has neither."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.wide = nn.Conv2d(6, 12, 1, bias=False)
        self.first = BatchNormAct2d(12, act_layer=nn.ReLU6)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.second = nn.BatchNorm2d(12)
        self.last = nn.Conv2d(12, 4, 1)
        for norm in (self.first, self.second):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.uniform_(norm.bias)

    def forward(self, x):
        return self.last(self.second(self.deep(self.first(self.wide(x)))))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_folded_network_answers_as_the_network_did(threads):
    before, threads_before = Block().eval(), torch.get_num_threads()
    after, x = ready(copy.deepcopy(before)), torch.randn(2, 6, 40, 50)
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            torch.testing.assert_close(after(x), before(x), rtol=1e-4, atol=1e-5)
    finally:
        torch.set_num_threads(threads_before)
    assert isinstance(after.wide, Pointwise) and isinstance(after.first, nn.ReLU6)
    assert isinstance(after.second, nn.Identity) and after.deep.bias is not None and type(after.last) is nn.Conv2d


def test_products_by_onednn_are_those_of_torch():
    x, weight, bias = torch.randn(2, 30, 16), torch.randn(8, 16), torch.randn(8)
    expected = torch.nn.functional.linear(x, weight, bias)
    with torch.inference_mode():
        torch.testing.assert_close(linear(x, weight, bias), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(linear(x[:, :0], weight), x.new_zeros(2, 0, 8))
        pixels = x.transpose(1, 2)[..., None]
        torch.testing.assert_close(
            pointwise(pixels, weight[..., None, None], bias), expected.transpose(1, 2)[..., None], rtol=1e-4, atol=1e-5
        )


def test_what_learns_keeps_its_gradient():
    weight = torch.randn(8, 16, requires_grad=True)
    linear(torch.randn(3, 16), weight).sum().backward()
    assert weight.grad is not None
