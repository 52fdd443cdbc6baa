"""`textseg space`."""

import argparse
from pathlib import Path

HELP = "build or push a Hugging Face Space"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["build", "push"])
    command.add_argument("folder", type=Path, metavar="DIR")


def run(args: argparse.Namespace) -> int:
    from textseg import space

    print(space.build(args.folder) if args.action == "build" else space.push(args.folder))
    return 0
