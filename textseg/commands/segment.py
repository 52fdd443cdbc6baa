"""`textseg segment`."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textseg.commands.arguments import (
    add_answer,
    add_model,
    add_others,
    add_words,
    note_unknown,
    read_others,
    read_words,
    share,
)
from textseg.errors import PhotoError, TextsegError, spelt_out
from textseg.files import write_atomically
from textseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textseg.bulk import LabelFolder
    from textseg.model import Model, Scene

HELP = "find words in photos: a label map and facts for each"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photos, or folders of photos")
    add_words(command)
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for label maps and facts")
    command.add_argument(
        "--threshold", type=share, metavar="T", help="lowest probability, 0 to 1, at which a word shows"
    )
    command.add_argument("--overlay", action="store_true", help="also write <stem>.overlay.png")
    command.add_argument(
        "--similarity", action="store_true", help="also write <stem>.<id>.similarity.png for each word"
    )
    add_others(command)
    add_answer(command)
    add_model(command)


def run(args: argparse.Namespace) -> int:
    from textseg import images

    vocabulary = read_words(args.words, args.background)
    args.others = read_others(args.others)
    photos = images.find(args.photos)
    if not photos:
        raise PhotoError("There are no photos in the folders given.")
    from tqdm import tqdm

    from textseg.bulk import LabelFolder
    from textseg.model import load_model

    out = LabelFolder(args.out, photos)
    model = load_model(args.backbone, args.head, readout=args.readout)
    note_unknown(model, vocabulary)
    failed = 0
    for path in tqdm(photos, unit="photo", disable=None):
        try:
            out.claim(path)
            try:
                _segment(model, path, vocabulary, out, args)
            except TextsegError:
                out.release(path)
                raise
        except TextsegError as error:
            if not isinstance(error, PhotoError):
                raise  # the words or the choice of method are at fault, not this photo
            failed += 1
            tqdm.write(spelt_out(f"{path}: {error}"), file=sys.stderr)
    return 0 if not failed else 1 if failed < len(photos) else 2


def _segment(model: "Model", path: Path, vocabulary: Vocabulary, out: "LabelFolder", args: argparse.Namespace) -> None:
    from textseg import images
    from textseg.segmentation import segment

    scene = model.encode(images.open(path))
    labels = segment(scene, vocabulary, args.by, args.refine, args.threshold, args.templates, others=args.others)
    out.write(path, model, labels, args.others)
    stem = out.folder / path.stem
    if args.overlay:
        write_atomically(
            stem.with_name(f"{stem.name}.overlay.png"), partial(labels.overlay(scene.photo).save, format="PNG")
        )
    if args.similarity:
        _write_similarities(scene, vocabulary, stem, args.templates)


def _write_similarities(scene: "Scene", vocabulary: Vocabulary, stem: Path, templates: str | None) -> None:
    import torch
    from PIL import Image

    from textseg.model import dense

    grid = torch.from_numpy(scene.similarity(vocabulary, templates=templates))
    for k, one in enumerate(grid, start=1):  # word by word: never K maps at the photo's size
        map_ = dense.upsample(one[None], (scene.photo.height, scene.photo.width))[0]
        image = Image.fromarray(map_.clamp(0, 1).mul(255).round().byte().numpy())
        write_atomically(stem.with_name(f"{stem.name}.{k}.similarity.png"), partial(image.save, format="PNG"))
