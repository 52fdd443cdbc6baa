"""`textseg segment`."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textseg.commands.arguments import (
    add_answer,
    add_downscale,
    add_model,
    add_others,
    add_proposals,
    add_same_range,
    add_words,
    note_words,
    read_others,
    read_words,
    share,
    tile_bar,
)
from textseg.errors import PhotoError, TextsegError, UsageError, spelt_out
from textseg.files import write_atomically
from textseg.vocabulary import Vocabulary
from textseg.wording import of_file

if TYPE_CHECKING:
    from textseg.bulk.files import LabelFolder
    from textseg.folders import Found
    from textseg.model import Model, Scene
    from textseg.model.decision import Scores
    from textseg.proposals import Proposer

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
    add_same_range(command)
    add_downscale(command)
    add_others(command)
    add_answer(command)
    add_proposals(command, "they show one word each")
    add_model(command)


def run(args: argparse.Namespace) -> int:
    from textseg.folders import common_span, gather, not_taken

    vocabulary = read_words(args.words, args.background)
    args.others = read_others(args.others)
    masked = _by_masks(args)
    gathered = gather(args.photos, flat=True)
    photos = gathered.photos
    if not photos:
        raise PhotoError("There are no photos in the folders given.")
    from tqdm import tqdm

    from textseg.bulk.files import LabelFolder
    from textseg.model import load_model
    from textseg.proposals import load_proposer

    args.span = common_span(photos) if args.same_range else None
    out = LabelFolder(args.out, photos)
    model = load_model(args.backbone, args.head, readout=args.readout)
    proposer = load_proposer(args.proposals or "regions") if masked else None
    note_words(model, vocabulary, args.others, proposer if args.by == "proposal" else None)
    failed = 0
    for photo in tqdm(photos, unit="photo", disable=None):
        try:
            out.claim(photo)
            try:
                _segment(model, proposer, photo, vocabulary, out, args)
            except TextsegError:
                out.release(photo)
                raise
        except TextsegError as error:
            if not isinstance(error, PhotoError):
                raise  # the words or the choice of method are at fault, not this photo
            failed += 1
            tqdm.write(of_file(photo, error), file=sys.stderr)
    if left := not_taken(gathered.others):
        print(spelt_out(left), file=sys.stderr)
    return 0 if not failed else 1 if failed < len(photos) else 2


def _by_masks(args: argparse.Namespace) -> bool:
    """Whether masks are asked for; `--proposals` alone asks for them, and UsageError says where none would be read."""
    from textseg import refine

    masked = args.refine is not None and refine.takes_masks(args.refine)
    if args.by is None:
        args.by = "proposal" if args.proposals and not masked else "pixel"
    if args.proposals and not masked and args.by != "proposal":
        raise UsageError(f"Labels by {args.by} need no --proposals; leave it out, or use --by proposal.")
    return masked or args.by == "proposal"


def _segment(
    model: "Model",
    proposer: "Proposer | None",
    photo: "Found",
    vocabulary: Vocabulary,
    out: "LabelFolder",
    args: argparse.Namespace,
) -> None:
    from textseg import pyramids
    from textseg.proposals import opened
    from textseg.segmentation import segment

    if photo.page is None and pyramids.is_large(photo.path):
        return _segment_by_tiles(model, proposer, photo, vocabulary, out, args)
    scene = model.encode(photo.open(args.span))
    proposals = None if proposer is None else opened(scene, proposer)
    labels = segment(
        scene, vocabulary, args.by, args.refine, args.threshold, args.templates,
        others=args.others, proposals=proposals,
    )  # fmt: skip
    out.write(photo, model, labels, args.others, proposer)
    stem = out.stem(photo)
    if args.overlay:
        write_atomically(
            stem.with_name(f"{stem.name}.overlay.png"), partial(labels.overlay(scene.photo).save, format="PNG")
        )
    if args.similarity:
        _write_similarities(scene, vocabulary, stem, args.templates)


def _segment_by_tiles(
    model: "Model",
    proposer: "Proposer | None",
    photo: "Found",
    vocabulary: Vocabulary,
    out: "LabelFolder",
    args: argparse.Namespace,
) -> None:
    """As `_segment`, for a photo too large to be decoded whole."""
    from textseg import pyramids
    from textseg.bulk import tiles
    from textseg.bulk.files import made_by, told_others
    from textseg.model import others as other_words
    from textseg.proposals import knows_words, opened
    from textseg.segmentation import scored

    if args.overlay or args.similarity:
        raise PhotoError("It is too large for --overlay and --similarity; leave them out.")
    if proposer is not None and knows_words(proposer) and args.by == "proposal":
        raise PhotoError(f"It is labelled by tiles, which {proposer.name} is not asked for by words; use --by pixel.")

    def ask(scene: "Scene") -> "tuple[Scores, dict[int, float]]":
        proposals = None if proposer is None else opened(scene, proposer)
        return scored(scene, vocabulary, args.by, args.refine, args.templates, others=args.others, proposals=proposals)

    compete = other_words.of(model, args.others) is not None
    with pyramids.open(photo.path) as pyramid, tile_bar() as progress:
        found = tiles.label(
            pyramid, model, vocabulary, ask, compete, args.downscale, args.threshold, progress=partial(progress, photo)
        )
        facts = {**made_by(model), "others": told_others(args.others)}
        facts |= {} if proposer is None else {"proposals": proposer.name}
        try:
            out.put_tiled(photo, found, pyramid, facts)
        finally:
            found.close()


def _write_similarities(scene: "Scene", vocabulary: Vocabulary, stem: Path, templates: str | None) -> None:
    import torch
    from PIL import Image

    from textseg.model import dense

    grid = torch.from_numpy(scene.similarity(vocabulary, templates=templates))
    for k, one in enumerate(grid, start=1):  # word by word: never K maps at the photo's size
        map_ = dense.upsample(one[None], (scene.photo.height, scene.photo.width))[0]
        image = Image.fromarray(map_.clamp(0, 1).mul(255).round().byte().numpy())
        write_atomically(stem.with_name(f"{stem.name}.{k}.similarity.png"), partial(image.save, format="PNG"))
