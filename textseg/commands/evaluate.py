"""`textseg evaluate`."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from textseg.commands.arguments import add_answer, add_model, add_others, read_others
from textseg.errors import DatasetError
from textseg.files import write_atomically
from textseg.wording import of_file

HELP = "measure mIoU on labelled photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from trainer import datasets, protocols

    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a folder with images/, labels/ and classes.txt")
    parser.add_argument(
        "--words",
        choices=["all", "present"],
        default="all",
        help="whether all classes compete in a photo (default), or only those present in it",
    )
    parser.add_argument("--json", metavar="FILE", help="write the scores as JSON; - for standard output")
    parser.add_argument("--limit", type=_count, metavar="N", help="only the first N photos")
    parser.add_argument("--min-photos", type=_count, default=1, metavar="N", help="ignore classes in fewer photos")
    parser.add_argument(
        "--layout", default="folder", metavar="NAME", help=f"{', '.join(datasets.names())} (default: folder)"
    )
    parser.add_argument("--protocol", metavar="NAME", help=f"a published protocol: {' or '.join(protocols.names())}")
    parser.add_argument(
        "--background", default="", metavar="WORDS", help="words that compete for pixels but count as none"
    )
    parser.add_argument("--threshold", type=float, metavar="T", help="lowest similarity at which a word counts")
    parser.add_argument(
        "--min-probability", type=float, metavar="P", help="lowest softmax probability at which a word counts"
    )
    parser.add_argument("--confusion", type=Path, metavar="FILE", help="draw the confusion matrix (PNG)")
    parser.add_argument(
        "--reliability", type=Path, metavar="FILE", help="draw how many pixels are right at each probability (PNG)"
    )
    add_others(parser, default=None)
    add_answer(parser)
    add_model(parser)


def run(args: argparse.Namespace) -> int:
    import textseg
    from trainer import datasets, evaluate, protocols, report

    for file in (args.json, args.confusion, args.reliability):
        if file and not Path(file).parent.is_dir():
            raise DatasetError(f"{file} cannot be written: its folder does not exist.")
    dataset = datasets.open(args.dataset, args.layout)
    protocol = protocols.get(args.protocol, dataset) if args.protocol else protocols.Protocol()
    given = {name: getattr(args, name) for name in ("refine", "templates", "threshold", "min_probability")}
    protocol = replace(protocol, **{name: value for name, value in given.items() if value is not None})
    model = textseg.load_model(args.backbone, args.head, readout=args.readout)
    others = args.others
    if others is None:  # words nobody typed can only be right where the set scores what is none of its words
        others = "none" if dataset.background is None or args.protocol else "default"
    labeller = evaluate.Labeller(model, dataset, protocol, args.background, args.by or "pixel", read_others(others))
    result = evaluate.evaluate(dataset, labeller, args.words, args.limit)
    for photo, reason in result.failed:
        print(of_file(photo, reason), file=sys.stderr)
    scores = json.dumps(report.summary(result, dataset, args.min_photos) | {"others": others}, indent=1)
    if args.json == "-":
        print(scores)
    else:
        print(report.table(result, dataset, args.min_photos))
        if args.json:
            write_atomically(Path(args.json), f"{scores}\n".encode())
    if args.confusion:
        write_atomically(args.confusion, report.draw_confusion(result, dataset, args.min_photos))
    if args.reliability:
        write_atomically(args.reliability, report.draw_reliability(result))
    return 1 if result.failed else 0


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 up")
    return int(text)
