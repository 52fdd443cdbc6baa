"""`textseg import`."""

import argparse
import json
import sys
from pathlib import Path

from textseg.commands.arguments import add_project, photo_bar, read_project
from textseg.wording import of_file

HELP = "import photos and label maps into a project"


def add_arguments(command: argparse.ArgumentParser) -> None:
    from textseg import formats

    command.add_argument("source", type=Path, metavar="PATH", help="a folder, a zip, or the file that names the rest")
    known = ", ".join(formats.readable())
    command.add_argument("--format", metavar="NAME", help=f"{known}; by default it is recognised")
    add_project(command, "--into", required=True)
    command.add_argument(
        "--merge",
        default="unlabelled",
        choices=["unlabelled", "mine", "theirs"],
        help="where both have labels: fill unlabelled pixels only (default), keep mine, or take theirs",
    )
    command.add_argument(
        "--as",
        dest="made_by",
        default="person",
        choices=["person", "model"],
        help="who made the labels (default: person)",
    )
    command.add_argument("--background", metavar="CLASS", help="the class that id 0 stands for, or 'unlabelled'")
    command.add_argument(
        "--strict",
        action="store_true",
        help="refuse classes that the project does not have, and everything for one bad annotation or missing photo",
    )
    command.add_argument("--dry-run", action="store_true", help="only report what would change")
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    from textseg import formats
    from textseg.project import Project

    with photo_bar() as progress:
        report = formats.import_(
            args.source,
            args.format,
            Project(read_project(args.into, args.files)),
            merge=args.merge,
            dry_run=args.dry_run,
            strict=args.strict,
            source=args.made_by,
            background=args.background,
            progress=progress,
        )
    for photo, reason in report.failed:
        print(of_file(photo, reason), file=sys.stderr)
    print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1) if args.json else report.describe())
    return 1 if report.failed else 0
