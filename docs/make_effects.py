"""The figure of what each module does: four photos, from the untrained alignment to the shipped answer.

python docs/make_effects.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

import textseg
from textseg.web.samples import SAMPLES

OUT = Path(__file__).parent / "images" / "effects.jpg"
PHOTOS = 4
STEPS = [
    ("untrained alignment", "none", {"by": "pixel", "refine": "none"}),
    ("default head", "default", {"by": "pixel", "refine": "none"}),
    ("head, adaptive units", "default", {"by": "unit", "refine": "none"}),
    ("head, regions: the answer", "default", {"by": "pixel", "refine": "regions"}),
]


def main() -> None:
    models = {head: textseg.load_model("lite", head=head) for head in ("none", "default")}
    figure, axes = pyplot.subplots(PHOTOS, len(STEPS) + 1, figsize=(15, 10.5), layout="constrained")
    for axis, title in zip(axes[0], ["photo", *(title for title, _, _ in STEPS)], strict=True):
        axis.set_title(title, fontsize=15)
    for row, sample in zip(axes, SAMPLES[:PHOTOS], strict=True):
        photo, vocabulary = sample.photo().open(), textseg.Vocabulary.parse(sample.words)
        scenes = {head: model.encode(photo) for head, model in models.items()}
        row[0].imshow(photo)
        for axis, (_, head, how) in zip(row[1:], STEPS, strict=True):
            axis.imshow(textseg.segment(scenes[head], vocabulary, **how).overlay(photo, 0.6))
        handles = [pyplot.Rectangle((0, 0), 1, 1, color=word.colour, label=word.name) for word in vocabulary]
        row[0].legend(handles=handles, loc="lower left", fontsize=10, framealpha=0.8)
        for axis in row:
            axis.set(xticks=[], yticks=[])
    figure.savefig(OUT, dpi=75, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
