"""`textseg space`."""

import argparse
from pathlib import Path

HELP = "build a Hugging Face Space, or push one"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["build", "push"], help="write the folder, or upload it")
    command.add_argument("folder", type=Path, metavar="DIR", help="the folder of the Space")


def run(args: argparse.Namespace) -> int:
    from textseg import space

    print(space.build(args.folder) if args.action == "build" else space.push(args.folder))
    return 0
