"""Every dense readout against its formula, written out naively for one image, in float64."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from textseg.errors import UnknownNameError
from textseg.model import backbones, readouts

CLIP_ONLY = ["maskclip", "sclip", "clearclip", "naclip", "gem", "sc_clip"]
HEIGHT, WIDTH, PATCH, NATIVE, HEADS, DEPTH = 6, 8, 8, 4, 4, 16


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT * PATCH, WIDTH * PATCH, 3))
    return Image.fromarray(pixels.astype(np.uint8))


class Naive:
    """The tower of `tiny_clip`, token by token and head by head. Tokens are (N, 64), the class token first."""

    def __init__(self, model: Any, photo: Image.Image) -> None:
        self.weights = {name: tensor.double() for name, tensor in model.visual.state_dict().items()}
        self.blocks = 3
        mean, std = (torch.tensor(v).double() for v in (model.visual.image_mean, model.visual.image_std))
        self.pixels = (torch.tensor(np.asarray(photo)).double() / 255 - mean) / std

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def tokens(self) -> torch.Tensor:
        kernel = self.weights["conv1.weight"]
        positions = self.weights["positional_embedding"]
        # Reference for the resizing alone: test_clip.py has what it must do.
        image = positions[1:].reshape(NATIVE, NATIVE, -1).permute(2, 0, 1)[None].float()
        resized = torch.nn.functional.interpolate(image, (HEIGHT, WIDTH), mode="bicubic", align_corners=False)[0]
        rows = [self.weights["class_embedding"] + positions[0]]
        for i in range(HEIGHT):
            for j in range(WIDTH):
                patch = self.pixels[i * PATCH : (i + 1) * PATCH, j * PATCH : (j + 1) * PATCH]
                rows.append((kernel * patch.permute(2, 0, 1)).sum((1, 2, 3)) + resized[:, i, j].double())
        return self.norm("ln_pre", torch.stack(rows))

    def normed(self, block: int, x: torch.Tensor) -> torch.Tensor:
        return self.norm(f"transformer.resblocks.{block}.ln_1", x)

    def heads(self, block: int, x: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """(q, k, v) of each head, each (N, 16)."""
        name = f"transformer.resblocks.{block}.attn.in_proj_"
        packed = self.normed(block, x) @ self.weights[name + "weight"].T + self.weights[name + "bias"]
        query, key, value = packed[:, :64], packed[:, 64:128], packed[:, 128:]
        parts = [slice(h * DEPTH, (h + 1) * DEPTH) for h in range(HEADS)]
        return [(query[:, p], key[:, p], value[:, p]) for p in parts]

    def out(self, block: int, heads: list[torch.Tensor]) -> torch.Tensor:
        name = f"transformer.resblocks.{block}.attn.out_proj."
        return torch.cat(heads, 1) @ self.weights[name + "weight"].T + self.weights[name + "bias"]

    def ffn(self, block: int, x: torch.Tensor) -> torch.Tensor:
        name = f"transformer.resblocks.{block}."
        hidden = self.norm(name + "ln_2", x) @ self.weights[name + "mlp.c_fc.weight"].T
        hidden = hidden + self.weights[name + "mlp.c_fc.bias"]
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        return hidden @ self.weights[name + "mlp.c_proj.weight"].T + self.weights[name + "mlp.c_proj.bias"]

    def block(self, block: int, x: torch.Tensor) -> torch.Tensor:
        x = x + self.out(block, [attention(q @ k.T / math.sqrt(DEPTH)) @ v for q, k, v in self.heads(block, x)])
        return x + self.ffn(block, x)

    def before_last(self) -> torch.Tensor:
        return self.block(1, self.block(0, self.tokens()))

    def maskclip(self) -> torch.Tensor:
        x = self.before_last()
        y = x + self.out(2, [v for _, _, v in self.heads(2, x)])
        return y + self.ffn(2, y)

    def sclip(self) -> torch.Tensor:
        x = self.before_last()
        root = math.sqrt(DEPTH)
        y = x + self.out(
            2, [(attention(q @ q.T / root) + attention(k @ k.T / root)) @ v for q, k, v in self.heads(2, x)]
        )
        return y + self.ffn(2, y)

    def clearclip(self) -> torch.Tensor:
        heads = self.heads(2, self.before_last())
        return self.out(2, [attention(q @ q.T / math.sqrt(DEPTH)) @ v for q, _, v in heads])

    def naclip(self) -> torch.Tensor:
        omega = torch.zeros(1 + HEIGHT * WIDTH, 1 + HEIGHT * WIDTH).double()
        for p in range(HEIGHT * WIDTH):
            for other in range(HEIGHT * WIDTH):
                (i, j), (y, x) = divmod(p, WIDTH), divmod(other, WIDTH)
                omega[1 + p, 1 + other] = math.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * 5**2))
        heads = self.heads(2, self.before_last())
        return self.out(2, [attention(k @ k.T / math.sqrt(DEPTH) + omega) @ v for _, k, v in heads])

    def gem(self) -> torch.Tensor:
        x = z = self.tokens()
        for block in range(self.blocks):
            sharpness = self.normed(block, x).norm(dim=1).mean() / math.sqrt(DEPTH)
            heads = []
            for head in self.heads(block, x):
                gathered = []
                for p in head:
                    p = unit(p)
                    p = unit(attention(sharpness * p @ p.T) @ p)
                    gathered.append(attention(sharpness * p @ p.T) @ head[2])
                heads.append((gathered[0] + gathered[1] + gathered[2]) / 3)
            z = z + self.out(block, heads)
            x = self.block(block, x)
        return z

    def sc_clip(self) -> torch.Tensor:
        layers = [self.block(0, self.tokens())]
        layers.append(self.block(1, layers[0]))
        x = layers[-1]
        bad = outliers(x[1:])
        assert 1 <= len(bad) <= 3  # the 5 % sparsest of 48
        # Layers 9, 4 and 4..10 of 12 are 2, 1 and 1..2 of 3.
        middle, early = mended(layers[1][1:], bad), layers[0][1:]
        similarity = unit(middle) @ unit(middle).T
        several = layers[0] + layers[1]

        def last(patches: torch.Tensor, cls: torch.Tensor) -> torch.Tensor:
            scores = 3 * (similarity - similarity.mean())
            scores[scores < 0] = -torch.inf
            shared = attention(scores)
            heads = self.heads(2, patches)
            mixed = [(attention(k @ k.T / math.sqrt(DEPTH)) + shared) / 2 @ v for _, k, v in heads]
            return self.out(2, mixed) + 0.3 * cls

        z = gathered(unit(early) @ unit(early).T, last(gathered(similarity, mended(x[1:], bad)), x[0]))
        z = z + gathered(unit(early) @ unit(early).T, last(several[1:], several[0]))
        return torch.cat([x[:1], z])

    def proxyclip(self, proxy: torch.Tensor) -> torch.Tensor:
        """`proxy` (D', h', w'); gives (h'*w', 64)."""
        features = unit(proxy.double().flatten(1).T)
        similarity = features @ features.T
        scores = 3.0 * (similarity - 1.2 * similarity.mean())
        scores[scores < 0] = -torch.inf
        heads = []
        for _, _, value in self.heads(2, self.before_last()):
            image = value[1:].T.reshape(1, DEPTH, HEIGHT, WIDTH)
            resized = torch.nn.functional.interpolate(image, proxy.shape[1:], mode="bilinear", align_corners=False)
            heads.append(attention(scores) @ resized[0].flatten(1).T)
        return self.out(2, heads)


def attention(scores: torch.Tensor) -> torch.Tensor:
    weights = [row.exp() / row.exp().sum() for row in scores]
    return torch.stack(weights)


def unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def gathered(similarity: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    weights = similarity * (similarity >= 0.4)
    return torch.stack([(row[:, None] * tokens).sum(0) / row.sum() for row in weights])


def outliers(tokens: torch.Tensor) -> list[int]:
    """Local outlier factors from densities: 1 / (squared distance to the 30th neighbour)."""
    distance = [[float((a - b).square().sum()) for b in tokens] for a in tokens]
    nearest = [sorted(range(len(row)), key=row.__getitem__)[1:31] for row in distance]
    density = [1 / row[near[-1]] for row, near in zip(distance, nearest, strict=True)]
    factor = [np.mean([density[n] for n in near]) / density[t] for t, near in enumerate(nearest)]
    return [t for t, f in enumerate(factor) if f > np.quantile(factor, 0.95)]


def mended(tokens: torch.Tensor, bad: list[int]) -> torch.Tensor:
    result = tokens.clone()
    for t in bad:
        i, j = divmod(t, WIDTH)
        around = [
            y * WIDTH + x
            for y in range(max(i - 1, 0), min(i + 2, HEIGHT))
            for x in range(max(j - 1, 0), min(j + 2, WIDTH))
            if y * WIDTH + x not in bad
        ]
        if around:
            result[t] = tokens[around].mean(0)
    return result


@pytest.mark.parametrize("readout", CLIP_ONLY)
def test_a_readout_equals_its_formula(readout: str, tiny_clip: Callable, photo: Image.Image) -> None:
    model, file = tiny_clip()
    features = backbones.load(f"clip:tiny//{file}", "cpu", readout).encode([photo])
    expected = getattr(Naive(model, photo), readout)()[1:]
    assert features.shape == (1, 64, HEIGHT, WIDTH)
    torch.testing.assert_close(features[0].permute(1, 2, 0).flatten(0, 1).double(), expected, rtol=1e-4, atol=1e-5)


def test_proxyclip_equals_its_formula(tiny_clip: Callable, tiny_dino: tuple, photo: Image.Image) -> None:
    model, file = tiny_clip()
    clip = backbones.load(f"clip:tiny//{file}", "cpu", f"proxyclip:dinov2:small//{tiny_dino[1]}")
    proxy = backbones.load(f"dinov2:small//{tiny_dino[1]}", "cpu")
    second = proxy.encode([photo.resize((64, 48), Image.Resampling.BICUBIC)])[0]
    features = clip.encode([photo])
    assert features.shape == (1, 64, *second.shape[1:])
    torch.testing.assert_close(
        features[0].permute(1, 2, 0).flatten(0, 1).double(),
        Naive(model, photo).proxyclip(second),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("readout", CLIP_ONLY)
def test_photos_in_a_batch_do_not_meet(readout: str, tiny_clip: Callable, photo: Image.Image) -> None:
    clip = backbones.load(f"clip:tiny//{tiny_clip()[1]}", "cpu", readout)
    turned = photo.transpose(Image.Transpose.ROTATE_180)
    together = clip.encode([photo, turned])
    torch.testing.assert_close(together[1:], clip.encode([turned]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("readout", readouts.names())
def test_a_photo_of_one_colour_gives_finite_features(readout: str, tiny_clip: Callable, tiny_dino: tuple) -> None:
    name = f"{readout}:dinov2:small//{tiny_dino[1]}" if readout == "proxyclip" else readout
    clip = backbones.load(f"clip:tiny//{tiny_clip()[1]}", "cpu", name)
    assert clip.encode([Image.new("RGB", (40, 24), "white")]).isfinite().all()


def test_no_entry_left_in_a_shared_attention_leaves_the_patch_to_itself() -> None:
    assert torch.equal(readouts.shared_attention(-torch.ones(1, 3, 3)), torch.eye(3)[None])


def test_the_default_needs_nothing_but_clip() -> None:
    assert readouts.get().name == readouts.DEFAULT
    assert readouts.get().second is None
    assert set(CLIP_ONLY) < set(readouts.names())


def test_proxyclip_names_its_second_backbone() -> None:
    assert readouts.get("proxyclip").second == "dinov2:base"
    assert readouts.get("proxyclip:dinov2:small").second == "dinov2:small"
    assert readouts.get("proxyclip:dinov2:small").function is readouts.get("proxyclip").function


@pytest.mark.parametrize("name", ["nonsense", "naclip:dinov2:small", "mask_vote"])
def test_a_readout_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError):
        readouts.get(name)
