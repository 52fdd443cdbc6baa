"""`textseg evaluate`."""

import argparse

from textseg.commands.arguments import add_answer, add_model

HELP = "measure mIoU on a folder of photos and label maps"


def add_arguments(command: argparse.ArgumentParser) -> None:
    from trainer import evaluate

    evaluate.add_arguments(command)
    add_answer(command)
    add_model(command)


def run(args: argparse.Namespace) -> int:
    from trainer import evaluate

    return evaluate.run(args)
