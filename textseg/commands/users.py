"""`textseg users`."""

import argparse
import getpass
import json
import sys
from pathlib import Path

from textseg.commands.arguments import Parser
from textseg.errors import UsageError
from textseg.users import ROLES, Users

HELP = "who may sign in to a server that is started with --users"


def add_arguments(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    action = actions.add_parser("add", help="add a person, or give one another role and password")
    action.add_argument("name", metavar="NAME")
    action.add_argument(
        "--role", required=True, choices=list(ROLES), help="; ".join(f"{role}: {what}" for role, what in ROLES.items())
    )
    action.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    action.set_defaults(act=_add)
    action = actions.add_parser("remove", help="remove a person; what they did stays theirs")
    action.add_argument("name", metavar="NAME")
    action.set_defaults(act=_remove)
    action = actions.add_parser("list", help="list names and roles")
    action.add_argument("--json", action="store_true", help="print JSON")
    action.set_defaults(act=_list)
    for one in actions.choices.values():
        one.add_argument(
            "--file", type=Path, default=Path("users.json"), metavar="FILE", help="default: users.json, here"
        )


def run(args: argparse.Namespace) -> int:
    return args.act(args)


def _add(args: argparse.Namespace) -> int:
    users = Users.make(args.file)
    known = users.get(args.name)
    users.add(args.name, args.role, _password(args))
    print(
        f"{args.name} {'has' if known else 'is added with'} the role {args.role} ({ROLES[args.role]}) in {args.file}."
    )
    return 0


def _remove(args: argparse.Namespace) -> int:
    Users(args.file).remove(args.name)
    print(f"{args.name} is removed from {args.file} and signed out; what was assigned to them is free.")
    return 0


def _list(args: argparse.Namespace) -> int:
    users = Users(args.file).all()
    if args.json:
        print(json.dumps([{"name": user.name, "role": user.role} for user in users], ensure_ascii=False, indent=1))
        return 0
    for user in users:
        print(f"{user.name:24}  {user.role:8} {ROLES[user.role]}")
    return 0


def _password(args: argparse.Namespace) -> str:
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("Give the password on standard input, with --password-stdin.")
    password = getpass.getpass(f"Password of {args.name}: ")
    if getpass.getpass("Once more: ") != password:
        raise UsageError("The two passwords differ; nothing was changed.")
    return password
