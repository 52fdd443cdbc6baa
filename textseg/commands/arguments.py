"""What several commands ask for, asked and read in one way."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from textseg.errors import VocabularyError
from textseg.vocabulary import Vocabulary, template_names

if TYPE_CHECKING:
    from textseg.bulk.tiles import Progress
    from textseg.model import Model
    from textseg.model.others import Choice
    from textseg.project.place import Place
    from textseg.proposals import Proposer


class Parser(argparse.ArgumentParser):
    """argparse, but arguments may be added when the first one is read, and a mistake is answered in one sentence."""

    arguments: Callable[[argparse.ArgumentParser], None] | None = None
    """Adds the arguments, so that a command costs nothing while another one is run."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        if self.arguments is not None:
            add, self.arguments = self.arguments, None
            add(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'.\n")


def add_words(command: argparse.ArgumentParser, required: bool = True, background: bool = True) -> None:
    """What to look for; `read_words` reads it."""
    command.add_argument(
        "--words",
        required=required,
        help='classes separated by commas, other names of a class after semicolons: "cat; kitten, sofa, wall"; '
        "- reads standard input and @FILE a file, one class a line",
    )
    if background:
        command.add_argument(
            "--background", default="", metavar="WORDS", help="words that compete for pixels but are written as 0, none"
        )


def add_project(command: argparse.ArgumentParser, name: str = "folder", what: str = "the project", **more: Any) -> None:
    """The project that a command works on: a folder, or a database's URL and `--files`; `read_project` reads it."""
    where = f"{what}: its folder, or postgresql+psycopg://USER@HOST/NAME"
    command.add_argument(name, metavar="DIR|URL", help=where, **more)
    add_files(command)


def add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--files", metavar="DIR", help="where photos and heads of a project in a database lie (default: $TEXTSEG_FILES)"
    )


def read_project(where: str, files: str | None) -> "Place":
    """Where a project lies; raises UsageError."""
    from textseg.project.place import Place

    return Place.of(where, files)


def add_model(command: argparse.ArgumentParser) -> None:
    """Which model answers; `textseg models` lists what there is."""
    command.add_argument(
        "--backbone", default="lite", metavar="NAME", help="one that `textseg models` lists (default: lite)"
    )
    command.add_argument(
        "--head",
        default="default",
        metavar="FILE",
        help="a head file; 'default' is the one shipped with the backbone, 'none' leaves it untrained",
    )
    add_readout(command)


def add_readout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--readout",
        metavar="NAME",
        help="how an image-text backbone is read out, as `textseg models` lists it (default: as the head was trained)",
    )


def add_answer(command: argparse.ArgumentParser) -> None:
    """How a label map is made of similarities."""
    command.add_argument("--by", metavar="NAME", help="what gets one label: pixel (default), unit, slic or proposal")
    command.add_argument(
        "--refine",
        metavar="NAME",
        help="how labels are aligned with image edges, as `textseg models` lists it, or none",
    )
    command.add_argument("--templates", choices=template_names(), help="prompt templates that words are put into")


def add_proposals(command: argparse.ArgumentParser, what: str) -> None:
    """Where masks come from, and `what` they are for."""
    command.add_argument(
        "--proposals",
        metavar="NAME",
        help=f"where masks come from, as `textseg models` lists it (default: regions); {what}",
    )


def add_same_range(command: argparse.ArgumentParser) -> None:
    """How deep photos are shown; by default each over the range of its own values."""
    command.add_argument(
        "--same-range",
        action="store_true",
        help="show 16-bit, float and signed photos over the range of all of them together, not each over its own",
    )


def add_downscale(command: argparse.ArgumentParser) -> None:
    """How coarsely huge photos are looked at."""
    command.add_argument(
        "--downscale",
        type=some,
        metavar="N",
        help="look at huge photos N times smaller (default: so that their longest side is at most 8192)",
    )


@contextmanager
def tile_bar() -> Iterator[Callable[[object, "Progress"], None]]:
    """A bar of the tiles of a huge photo on standard error, on a terminal only."""
    from tqdm import tqdm

    with tqdm(unit="tile", disable=None) as bar:

        def progress(photo: object, at: "Progress") -> None:
            if at.tiles == 1:
                bar.reset(at.of)
                bar.set_description(str(photo), refresh=False)
            bar.update(at.tiles - bar.n)

        yield progress


def share(text: str) -> float:
    """A number from 0 to 1; raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return value


def count(text: str) -> int:
    """A whole number from 0 up; raises ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)


def some(text: str) -> int:
    """A whole number from 1 up; raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 up")
    return int(text)


def read_words(words: str, background: str = "") -> Vocabulary:
    """The vocabulary given on the command line: words, `-` for a list on standard input, `@FILE` for one in a file."""
    if words == "-":
        return Vocabulary.parse(sys.stdin.read(), background, separators="\n")
    if words.startswith("@"):
        path = Path(words[1:])
        try:
            return Vocabulary.parse(path.read_text("utf-8-sig"), background, separators="\n")
        except (OSError, UnicodeDecodeError):
            raise VocabularyError(f"The word list {path} cannot be read; it must be a UTF-8 text file.") from None
    return Vocabulary.parse(words, background)


def add_others(command: argparse.ArgumentParser, default: str | None = "default") -> None:
    command.add_argument(
        "--others",
        default=default,
        metavar="default|none|@FILE",
        help="the words that nobody typed and that compete all the same; none: only the words given",
    )


def read_others(others: str) -> str | list[str] | None:
    """`--others`: "default", None for none, or the words of a file, one a line; raises VocabularyError."""
    if others == "none":
        return None
    if not others.startswith("@"):
        if others != "default":
            raise VocabularyError(f"--others is default, none or @FILE, not '{others[:40]}'.")
        return others
    try:
        lines = Path(others[1:]).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise VocabularyError(f"The list of other words {others[1:]} cannot be read; give a UTF-8 text file.") from None
    words = [line.strip() for line in lines if line.strip()]
    if not words:
        raise VocabularyError(f"The list of other words {others[1:]} is empty; name some, or give --others none.")
    return words


def note_words(model: "Model", vocabulary: Vocabulary, others: "Choice", proposer: "Proposer | None" = None) -> None:
    """Say on standard error what `word_notes` finds."""
    from textseg.bulk.answerer import word_notes

    tell_notes(word_notes(model, vocabulary, others, proposer))


def tell_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"textseg: note: {note}", file=sys.stderr)


@contextmanager
def photo_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar of photos on standard error, on a terminal only."""
    from tqdm import tqdm

    with tqdm(unit="photo", disable=None) as bar:

        def progress(done: int, number: int) -> None:
            bar.total = number
            bar.update(done - bar.n)

        yield progress


def listed(text: str) -> list[str]:
    """The parts of a text between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
