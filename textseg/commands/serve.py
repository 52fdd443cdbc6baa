"""`textseg serve`."""

import argparse
from pathlib import Path

from textseg.commands.arguments import add_model, add_project, add_proposals, read_project

HELP = "open the pages in a browser"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=7860)
    add_project(command, "--project", "the project to label in")
    command.add_argument(
        "--share-project", action="store_true", help="let everyone who reaches the server work on the project"
    )
    command.add_argument(
        "--users", type=Path, metavar="FILE", help="people sign in; `textseg users add` writes the file"
    )
    command.add_argument("--mcp", action="store_true", help="offer tools to assistants (Model Context Protocol)")
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name of this server, such as a proxy's",
    )
    command.add_argument(
        "--offer", action="append", default=[], metavar="NAME",
        help="a backbone or proposer that people on other machines may switch to; whoever sits here may choose any",
    )  # fmt: skip
    add_model(command)
    command.set_defaults(backbone=None)  # then it is what the project remembers
    add_proposals(command, "what clicks, pseudo-labels and Explore's masks are made of")


def run(args: argparse.Namespace) -> int:
    from textseg import web

    project = None if args.project is None else read_project(args.project, args.files)
    web.serve(
        host=args.host, port=args.port, project=project, backbone=args.backbone, head=args.head,
        readout=args.readout, allow_hosts=args.allow_host, share_project=args.share_project,
        proposals=args.proposals, offered=args.offer, users=args.users, mcp=args.mcp,
    )  # fmt: skip
    return 0
