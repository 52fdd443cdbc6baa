"""`textseg models`."""

import argparse
import json
import shutil
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textseg.catalogue import Entry

HELP = "list backbones, image towers, readouts, proposers and refinements, and say which load here"

HEADINGS = {
    "backbone": "Backbones (--backbone): what photos and words are encoded with",
    "tower": "Image towers of clip: and hf:, and their readouts, the default first",
    "readout": "Readouts (--readout): how an image-text backbone is read out patch by patch",
    "proposer": "Proposers (--proposals): where masks come from",
    "refinement": "Refinements (--refine): how an answer is brought to the edges in the photo",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from textseg import catalogue

    entries = catalogue.entries()
    if args.json:
        print(json.dumps([entry.to_dict() for entry in entries], ensure_ascii=False, indent=1))
        return 0
    width = min(100, shutil.get_terminal_size().columns)
    for number, (kind, group) in enumerate(groupby(entries, lambda entry: entry.kind)):
        print("\n" * (number > 0) + HEADINGS[kind])
        for entry in group:
            print(_described(entry, width))
    return 0


def _described(entry: "Entry", width: int) -> str:
    """A few lines of at most `width` columns: name and title, what it is, what it takes, whether it loads."""
    head = f"  {entry.example:<22} {entry.title}{' (default)' if entry.default else ''}"
    facts = ", ".join(filter(None, (entry.licence, entry.size, entry.needs and f"needs {entry.needs}")))
    loads = "Loads here." if entry.missing is None else f"Does not load now. {entry.missing}"
    readouts = entry.readouts and f"Readouts: {', '.join(entry.readouts)}."
    lines = [entry.about, readouts, facts and f"{facts[0].upper()}{facts[1:]}.", loads]
    return "\n".join([head, *(textwrap.indent(textwrap.fill(line, width - 6), " " * 6) for line in lines if line)])
