"""`textseg doctor`."""

import argparse
import json

HELP = "report what is installed and which backbones load"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from textseg import doctor

    report = doctor.report()
    print(json.dumps(report, indent=1) if args.json else doctor.describe(report))
    return 0
