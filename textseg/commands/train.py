"""`textseg train`."""

import argparse
import math

from textseg.commands.arguments import add_files, add_readout, read_project

HELP = "train a head for a backbone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from trainer import features, objectives

    parser.add_argument("--objective", required=True, metavar="NAME", help=", ".join(objectives.names()))
    parser.add_argument(
        "--data", required=True, nargs="+", metavar="PATH",
        help="a TSV of file<TAB>caption, a JSON list, a folder of photos, or webdataset shards; several are combined; "
        "for corrections, a project: its folder, or postgresql+psycopg://USER@HOST/NAME",
    )  # fmt: skip
    add_files(parser)
    parser.add_argument("--out", required=True, metavar="HEAD.safetensors", help="the head file to write")
    parser.add_argument("--backbone", default="lite", metavar="NAME", help="the backbone it is for (default: lite)")
    parser.add_argument("--head", metavar="FILE", help="a head to start from (default: a new one)")
    add_readout(parser)
    parser.add_argument("--recipe", metavar="FILE", help="YAML with settings to change (default: the shipped one)")
    parser.add_argument(
        "--set",
        dest="changes",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="single settings, such as lr=0.0005 seed=1",
    )
    done = parser.add_mutually_exclusive_group()
    done.add_argument(
        "--complete", dest="complete", action="store_true", default=None,
        help="for corrections: photos marked done show everything, what is not drawn is not there (default: as the "
        "project says)",
    )  # fmt: skip
    done.add_argument(
        "--incomplete", dest="complete", action="store_false", default=None,
        help="for corrections: photos marked done may leave things out",
    )  # fmt: skip
    early = parser.add_mutually_exclusive_group()
    early.add_argument(
        "--dry-run", dest="until", action="store_const", const="planned", default="trained",
        help="read the data, load the models, say what would be done, in bytes and hours, and stop",
    )  # fmt: skip
    early.add_argument(
        "--prepare", dest="until", action="store_const", const="prepared",
        help="encode the photos, embed the captions, make the pseudo-labels, and stop before the first step",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="continue a training that was interrupted")
    parser.add_argument("--cache", metavar="DIR", help="folder for features (default: the user's cache folder)")
    parser.add_argument(
        "--cache-limit", type=byte_count, default=features.DEFAULT_LIMIT, metavar="SIZE",
        help="largest size of the cache (default: 20GB)",
    )  # fmt: skip


def byte_count(text: str) -> int:
    """`20GB`, `500 MB` or plain bytes; raises ArgumentTypeError."""
    number = text.strip().upper().removesuffix("B")
    power = "KMGT".find(number[-1:]) + 1 if number else 0
    try:
        count = float(number[:-1] if power else number)
    except ValueError:
        count = -1.0
    if not 0 <= count < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write for example 20GB")
    return int(count * 1000**power)


def run(args: argparse.Namespace) -> int:
    from trainer import fit

    said = [] if args.complete is None else [f"objective.complete={str(args.complete).lower()}"]
    if args.readout:
        said.append(f"readout={args.readout}")
    data = args.data if args.files is None or len(args.data) > 1 else read_project(args.data[0], args.files)
    fit.train(
        args.objective, data, args.out, args.backbone, args.recipe, args.resume, args.head,
        args.cache, args.cache_limit, [*said, *args.changes], until=args.until,
    )  # fmt: skip
    return 0
