"""`textseg models`, `textseg models fetch` and `textseg models pack`."""

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from textseg.commands.arguments import add_readout

if TYPE_CHECKING:
    from textseg.catalogue import Entry

HELP = "list backbones, image towers, readouts, proposers and refinements, fetch their weights, pack them"

HEADINGS = {
    "backbone": "Backbones (--backbone): what photos and words are encoded with",
    "tower": "Image towers of clip: and hf:, and their readouts, the default first",
    "readout": "Readouts (--readout): how an image-text backbone is read out patch by patch",
    "proposer": "Proposers (--proposals): where masks come from",
    "refinement": "Refinements (--refine): how an answer is brought to the edges in the photo",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(what=_list)
    actions = command.add_subparsers(metavar="ACTION", parser_class=type(command))
    fetch = actions.add_parser("fetch", help="fetch what a model needs from the Hugging Face Hub, or its mirror")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="a backbone or proposer, as `textseg models` lists it")
    add_readout(fetch)
    fetch.set_defaults(what=_fetch)
    pack = actions.add_parser("pack", help="copy what models need into a folder, for a machine without network")
    pack.add_argument("folder", type=Path, metavar="FOLDER")
    pack.add_argument(
        "names", nargs="*", metavar="NAME", help="fetched first where it is not here (default: all listed that are)"
    )
    pack.set_defaults(what=_pack)


def run(args: argparse.Namespace) -> int:
    return args.what(args)


def _list(args: argparse.Namespace) -> int:
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


def _fetch(args: argparse.Namespace) -> int:
    """Each model in turn; one that cannot be had is told, and the others come."""
    from textseg import hub
    from textseg.errors import TextsegError

    failed = 0
    for name in args.names:
        try:
            if not hub.sources(name, args.readout):
                print(f"{name} needs nothing of the hub.")
                continue
            with _byte_bar(name) as progress:
                hub.fetch(name, args.readout, progress)
            print(f"{name} is here ({(hub.size_here(name, args.readout) or 0) / 1e6:,.0f} MB).")
        except TextsegError as error:
            print(f"textseg: {error}", file=sys.stderr)
            failed += 1
    return 0 if not failed else 1 if failed < len(args.names) else 2


def _pack(args: argparse.Namespace) -> int:
    from textseg import catalogue, hub
    from textseg.errors import WeightsError

    names = args.names
    if not names:
        listed = [one.example for one in catalogue.entries() if one.kind in ("backbone", "tower", "proposer")]
        names = [name for name in dict.fromkeys(listed) if hub.sources(name) and hub.size_here(name) is not None]
    for name in names:
        with _byte_bar(name) as progress:
            hub.fetch(name, progress=progress)
    packed = [name for name in names if hub.sources(name)]
    if not packed:
        said = f"nothing of it is needed for {' and '.join(names)}" if names else "no listed model's weights are here"
        raise WeightsError(f"There is nothing of the hub to pack: {said}; name a model that `textseg models` lists.")
    size = hub.pack(args.folder, packed)
    print(f"{', '.join(packed)}: {size / 1e6:,.0f} MB in {args.folder}. Copy the folder to the other machine; there:\n")
    for name in packed:
        option = "--proposals" if hub.proposes(name) else "--backbone"
        print(f"    HF_HUB_CACHE=/path/to/{args.folder.name} HF_HUB_OFFLINE=1 textseg serve {option} {name}")
    return 0


@contextmanager
def _byte_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes on standard error, on a terminal only."""
    from tqdm import tqdm

    with tqdm(desc=name, unit="B", unit_scale=True, disable=None) as bar:

        def progress(done: int, number: int) -> None:
            bar.total = number
            bar.update(done - bar.n)

        yield progress


def _described(entry: "Entry", width: int) -> str:
    """A few lines of at most `width` columns: name and title, what it is, what it takes, whether it loads."""
    head = f"  {entry.example:<22} {entry.title}{' (default)' if entry.default else ''}"
    facts = ", ".join(filter(None, (entry.licence, entry.size, entry.needs and f"needs {entry.needs}")))
    loads = "Loads here." if entry.missing is None else f"Does not load now. {entry.missing}"
    readouts = entry.readouts and f"Readouts: {', '.join(entry.readouts)}."
    lines = [entry.about, readouts, facts and f"{facts[0].upper()}{facts[1:]}.", loads]
    return "\n".join([head, *(textwrap.indent(textwrap.fill(line, width - 6), " " * 6) for line in lines if line)])
