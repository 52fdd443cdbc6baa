"""`textseg train`."""

import argparse
import math

HELP = "train a head"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from trainer import features

    parser.add_argument("--objective", required=True, metavar="NAME", help="pacl, mgca, mixreorg, afss or corrections")
    parser.add_argument(
        "--data", required=True, nargs="+", metavar="PATH",
        help="TSV (file<TAB>caption), JSON list, folder of photos, or webdataset tar shards; several are put together; "
        "for corrections the folder of a project",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="HEAD.safetensors")
    parser.add_argument("--backbone", default="lite", metavar="NAME")
    parser.add_argument("--head", metavar="FILE", help="a head to start from (default: a fresh one)")
    parser.add_argument("--recipe", metavar="FILE", help="YAML with settings that differ from the objective's own")
    parser.add_argument(
        "--set",
        dest="changes",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="single settings, such as lr=0.0005 seed=1",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a training that was stopped or killed")
    parser.add_argument("--cache", metavar="DIR", help="where features are kept (default: the user's cache folder)")
    parser.add_argument(
        "--cache-limit", type=byte_count, default=features.DEFAULT_LIMIT, metavar="SIZE",
        help="bytes the cache may take, such as 20GB (the default)",
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

    fit.train(
        args.objective, args.data, args.out, args.backbone, args.recipe, args.resume, args.head,
        args.cache, args.cache_limit, args.changes,
    )  # fmt: skip
    return 0
