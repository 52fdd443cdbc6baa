"""What cached features lose in fewer bytes: their direction, the words they find, and the head that learns from them.

    python benchmarks/packings.py --data ../shared/data/flickr8k/captions.tsv --dataset ../shared/data/coco-eval

For each packing (trainer/packings.py): bytes a photo; the cosine of a patch with itself in full precision, the least
and the mean; that of its small channels where channels are as uneven as CLIP's (every hundredth made 50 times as large,
no weights are needed for that); the share of patches that keep their best of a thousand nouns under the untrained
alignment. Then a head is fitted by PACL from each, with the same photos, batches and seed, and scored by patch on
`--dataset`.
"""

import argparse
import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from textseg.model import Model, backbones, heads
from textseg.model.embedding import embed_words
from trainer import data, datasets, diagnostics, fit, packings
from trainer.nouns import default_nouns

PHOTOS_AT_ONCE = 8


def features_of(photos: list[data.TrainingPhoto], backbone: backbones.Backbone, side: int) -> torch.Tensor:
    """(B, D, h, w) float32."""
    opened = [photo.open().resize((side, side)) for photo in photos]
    return torch.cat([backbone.encode(opened[i : i + PHOTOS_AT_ONCE]).float() for i in range(0, len(opened), 8)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Features in fewer bytes.")
    parser.add_argument("--data", type=Path, required=True, help="photos with captions, as `textseg train` takes them")
    parser.add_argument("--dataset", type=Path, required=True, help="a labelled set, as `textseg evaluate` takes it")
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--photos", type=int, default=256, help="to learn from")
    parser.add_argument("--scored", type=int, default=40, help="photos of the labelled set")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()

    backbone = backbones.load(options.backbone)
    photos = data.read([options.data]).captioned()
    photos = replace(photos, photos=photos.photos[: options.photos])
    labelled = datasets.open(options.dataset)
    features = features_of(photos.photos[:32], backbone, 224)
    uneven = features.clone()
    uneven[:, ::100] *= 50
    alignment = backbone.alignment()
    assert alignment is not None, "a backbone with an alignment of its own is needed"
    texts = alignment.text(embed_words(backbone.embed, default_nouns().names[:1000], backbone.templates))

    def best(features: torch.Tensor) -> torch.Tensor:
        return torch.cat([(alignment(one[None]).flatten(2).mT @ texts.T).argmax(-1) for one in features])

    exact = best(features)
    with tempfile.TemporaryDirectory() as folder:
        for name in packings.names():
            packing = packings.get(name)
            kept, kept_uneven = (packing.unpack(packing.pack(x)) for x in (features, uneven))
            cosine, small = F.cosine_similarity(kept, features), torch.arange(features.shape[1]) % 100 > 0
            cosine_small = F.cosine_similarity(kept_uneven[:, small], uneven[:, small])
            bytes_a_photo = packing.bytes_of(features.shape[1]) * features[0, 0].numel()
            print(
                f"{name:8} {bytes_a_photo / 1e3:6.1f} KB a photo; cosine {cosine.min():.5f} least, {cosine.mean():.6f} "
                f"mean; beside large channels {cosine_small.min():.5f}, {cosine_small.mean():.6f}; "
                f"same best noun {100 * (best(kept) == exact).float().mean():.2f} %",
                flush=True,
            )
        for name in packings.names():
            out = Path(folder) / f"{name}.safetensors"
            recipe = {"steps": options.steps, "batch": 64, "packing": name}
            fit.train("pacl", photos, out, backbone, recipe, cache=Path(folder), say=lambda text: None)
            with out.with_suffix(".csv").open(newline="") as file:
                losses = [float(row["loss"]) for row in csv.DictReader(file)]
            model = Model(backbone, heads.load(out, backbone), name)
            found = diagnostics.patch_accuracy(model, labelled, options.scored)
            print(
                f"{name:8} PACL after {options.steps} steps: loss {sum(losses[-5:]) / 5:.4f}, "
                f"{found['patch_accuracy']:.2f} % of {found['patches']:,} patches right",
                flush=True,
            )


if __name__ == "__main__":
    main()
