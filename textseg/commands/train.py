"""`textseg train`."""

import argparse

HELP = "train a head"


def add_arguments(command: argparse.ArgumentParser) -> None:
    from trainer import fit

    fit.add_arguments(command)


def run(args: argparse.Namespace) -> int:
    from trainer import fit

    return fit.run(args)
