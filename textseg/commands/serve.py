"""`textseg serve`."""

import argparse
from pathlib import Path

from textseg.commands.arguments import add_model

HELP = "open the pages in a browser"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=7860)
    command.add_argument("--project", type=Path, metavar="DIR", help="the project folder to label in")
    add_model(command, readout=False)


def run(args: argparse.Namespace) -> int:
    from textseg import web

    web.serve(host=args.host, port=args.port, project=args.project, backbone=args.backbone, head=args.head)
    return 0
