"""The figure of docs/methods-objectives.md: what each objective looks at, drawn by the code that trains.

python docs/make_methods.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot
from PIL import Image
from skimage import data

import textseg
from textseg.pseudolabel import label_regions
from trainer.objectives.mgca import MGCA
from trainer.objectives.mixreorg import mix, permutations, restore

OUT = Path(__file__).parent / "images" / "objectives.jpg"
SIDE, PATCH = 288, 24


def square(name: str) -> Image.Image:
    photo = Image.fromarray(getattr(data, name)()).convert("RGB")
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))


def patches(photo: Image.Image) -> torch.Tensor:
    """(T, PATCH * PATCH * 3) the pixels of each patch, row by row."""
    count = SIDE // PATCH
    pixels = torch.from_numpy(np.asarray(photo).copy()).reshape(count, PATCH, count, PATCH, 3)
    return pixels.transpose(1, 2).reshape(count * count, -1)


def together(tokens: torch.Tensor) -> np.ndarray:
    """The picture that `patches` took apart."""
    count = SIDE // PATCH
    return tokens.reshape(count, count, PATCH, PATCH, 3).transpose(1, 2).reshape(SIDE, SIDE, 3).numpy()


def main() -> None:
    torch.manual_seed(0)
    model = textseg.load_model("lite")
    cat, coffee = square("chelsea"), square("coffee")
    scene = model.encode(cat)
    similarity = scene.scores(textseg.Vocabulary.parse("cat")).float()[0]
    figure, axes = pyplot.subplots(4, 4, figsize=(13, 13.6), layout="constrained")

    # PACL (P2): the attention of one word at three sharpnesses.
    show(axes[0][0], "PACL: photo, word “cat”", cat)
    for axis, kappa in zip(axes[0][1:], (1, 10, 100), strict=True):
        attention = (kappa * similarity).flatten().softmax(0).reshape(similarity.shape)
        show(axis, f"attention, κ = {kappa}", attention, cmap="magma", vmin=0)

    # MGCA (M1), (M4): similarity, region, and the pixels that are drawn. The threshold is that of this photo.
    objective = MGCA.__new__(MGCA)
    torch.nn.Module.__init__(objective)
    objective.easy, objective.k_pix = 0.5, 40
    s = similarity.flatten()[None]
    inside = s > s.mean()
    show(axes[1][0], "MGCA: S, word “cat”", similarity, cmap="magma")
    show(axes[1][1], "region R", inside.reshape(similarity.shape), cmap="gray")
    for axis, title, allowed, hardest in (
        (axes[1][2], "positives inside: hard, random", inside, -s),
        (axes[1][3], "negatives outside: hard, random", ~inside, s),
    ):
        drawn = objective.sample(s, allowed, hardest)[0]
        chosen = torch.isin(s[0], drawn[drawn.isfinite()]).reshape(similarity.shape)
        picture = np.asarray(cat.resize(similarity.shape[::-1])) // 3
        picture[chosen.numpy()] = (255, 210, 60)
        show(axis, title, picture)

    # MixReorg (R1), (R4).
    tokens = torch.stack([patches(cat), patches(coffee)])[None]
    sigma = permutations(1, 2, tokens.shape[2])
    mixed = mix(tokens, sigma)
    show(axes[2][0], "MixReorg: one of two photos", cat)
    show(axes[2][1], "mixed: each patch from either", together(mixed[0, 0]))
    show(axes[2][2], "which photo: what the text must tell", sigma[0, 0].reshape(SIDE // PATCH, -1), cmap="gray")
    show(axes[2][3], "restored", together(restore(mixed, sigma)[0, 0]))

    # AFSS, stage 1.
    words = textseg.Vocabulary.parse("coffee cup; cup, saucer, wooden table; table, spoon")
    scene = model.encode(coffee)
    proposals = textseg.load_proposer("regions").open(coffee, scene)
    regions = label_regions(scene, words, proposals, others=None)
    labels, confidence = regions.patches(tuple(scene.grid), 0.0, 0.0)
    coloured = np.zeros((*labels.shape, 3), np.uint8)
    for k, word in enumerate(words):
        coloured[(labels == k).numpy()] = [int(word.colour[i : i + 2], 16) for i in (1, 3, 5)]
    masks = np.zeros((SIDE, SIDE), np.int32)
    for number, mask in enumerate(sorted(proposals.everything(), key=lambda one: -one.area)[:120]):
        masks[mask.to_array()] = (number * 37) % 97 + 1
    show(axes[3][0], "AFSS: a photo without a label", coffee)
    show(axes[3][1], "proposals (here of regions)", masks, cmap="nipy_spectral")
    show(axes[3][2], "pseudo-labels of the patches", coloured)
    show(axes[3][3], "their confidence, the weights", confidence.float(), cmap="gray", vmin=0, vmax=1)
    figure.savefig(OUT, dpi=75, pil_kwargs={"quality": 85})
    print(OUT)


def show(axis: pyplot.Axes, title: str, picture: object, **how: object) -> None:
    axis.imshow(picture, interpolation="nearest", **how)
    axis.set_title(title, fontsize=11)
    axis.set(xticks=[], yticks=[])


if __name__ == "__main__":
    main()
