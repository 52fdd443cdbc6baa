"""`textseg export`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from textseg.commands.arguments import add_project, listed, photo_bar, read_project
from textseg.errors import UsageError
from textseg.wording import of_file

HELP = "export a project's photos and label maps"


def add_arguments(command: argparse.ArgumentParser) -> None:
    from textseg import formats

    add_project(command)
    command.add_argument("--format", required=True, metavar="NAME", help=", ".join(formats.names()))
    command.add_argument(
        "--out", required=True, type=Path, metavar="PATH", help="a new folder, or an earlier export to replace"
    )
    command.add_argument(
        "--split", metavar="SHARES", help="such as train=0.8,val=0.1,test=0.1; near-duplicates stay together"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the split (default: 0)")
    command.add_argument("--states", metavar="LIST", help='only photos in these states, e.g. "done, in work"')
    command.add_argument("--classes", metavar="LIST", help="only these classes; others become unlabelled")
    command.add_argument("--provenance", metavar="LIST", help="only pixels from: person, accepted, model")
    command.add_argument(
        "--folders",
        choices=["flatten", "keep"],
        default="flatten",
        help="what becomes of photos' folders: a/1.jpg as a_1.jpg (default), or as it is",
    )
    command.add_argument("--polygons", action="store_true", help="short for --option polygons")
    command.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=_options())
    command.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload to this private dataset (format hf)")
    command.add_argument("--dry-run", action="store_true", help="only report what would be written")
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    from textseg import formats
    from textseg.formats.options import read
    from textseg.project import Project

    options = read(formats.get(args.format).export_options, args.option)
    if args.polygons:
        options["polygons"] = True
    if args.push_to_hub and args.format != "hf":
        raise UsageError("Only the format hf can be pushed to the Hub.")
    chosen: dict[str, Any] = {
        name: listed(getattr(args, name)) for name in ("states", "classes", "provenance") if getattr(args, name)
    }
    split = formats.parse_split(args.split) if args.split else None
    with photo_bar() as progress:
        report = formats.export(
            Project(read_project(args.folder, args.files)),
            args.format,
            args.out,
            split=split,
            seed=args.seed,
            folders=args.folders,
            dry_run=args.dry_run,
            progress=progress,
            **chosen,
            **options,
        )
    if args.push_to_hub and not args.dry_run:
        from textseg.formats import hf

        report.notes.append(hf.push(args.out, args.push_to_hub))
    for photo, reason in report.skipped:
        print(of_file(photo, reason), file=sys.stderr)
    print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1) if args.json else report.describe())
    return 1 if report.skipped else 0


def _options() -> str:
    """What there is to choose, format by format."""
    from textseg import formats

    offered: dict[str, list[str]] = {}
    for name in formats.names():
        for option in formats.get(name).export_options:
            offered.setdefault(option.name, []).append(name)
    return "an option of the format: " + "; ".join(f"{name} ({', '.join(of)})" for name, of in offered.items())
