"""One family of errors a person can act on: each message is one sentence that says what, where and what to do.

The library raises these; the edges (command line, page, HTTP API) turn them into text and never show a traceback.
What the system raises becomes such a sentence by `explain`.
"""

import errno
import reprlib
import traceback
from pathlib import Path
from typing import Any
from unicodedata import category


class TextsegError(Exception):
    """Base of every error that textseg raises on purpose; its text is fit to be shown to a person.

    What it quotes of a file or a message may hold control characters, which a terminal would obey: they are spelt out.
    """

    def __str__(self) -> str:
        return spelt_out(super().__str__())


class PhotoError(TextsegError):
    """A photo cannot be read: missing, torn, not a picture, or too large."""


class PhotoTooLargeError(PhotoError):
    """A photo has more pixels than are decoded."""


class FilmError(TextsegError):
    """A film cannot be read: torn, no video, coded in an unknown way, or a folder without numbered frames."""


class VocabularyError(TextsegError):
    """The words cannot be used: none given, too many, or one too long."""


class WeightsError(TextsegError):
    """A model's weights cannot be had: no network, a wrong path, or a file that does not fit."""


class HeadError(TextsegError):
    """A head file cannot be used: torn, or trained on another backbone."""


class UnknownNameError(TextsegError):
    """A name is not registered; the message lists the names that are."""


class NameTakenError(TextsegError):
    """Two entries of a registry have one name."""


class UsageError(TextsegError):
    """A command was called with options that do not go together, or without one that it needs."""


class PromptError(TextsegError):
    """A mask prompt cannot be used: outside the photo, an empty box, or contradictory points."""


class DatasetError(TextsegError):
    """A data set on disk cannot be read; the message names file and line."""


class Cancelled(TextsegError):
    """A person stopped a long piece of work; nothing half-done is handed out."""


class RequestError(TextsegError):
    """A page or a program asked for something that makes no sense: a field missing, of another type, out of bounds."""


class TrainingError(TextsegError):
    """A training cannot start or go on: a recipe that makes no sense, a loss that is no number."""


class SpaceError(TextsegError):
    """A Space cannot be built or pushed; the message names the field, the folder or what the hub said."""


class ProjectError(TextsegError):
    """A project folder cannot be used: missing, damaged, newer than this program, or not writable."""


class NoProjectError(ProjectError):
    """There is no project where one was looked for."""


class DatabaseAwayError(ProjectError):
    """The database of a project does not answer: what was being changed is not acknowledged, and can be done again."""


class EditError(TextsegError):
    """A gesture cannot be applied: unknown class, coordinates that are no numbers, a forged region."""


class StaleRevisionError(EditError):
    """The gesture was made on an older label map than the stored one."""


class FormatError(TextsegError):
    """A project cannot be written in a format: too many classes, a folder that holds other files, a package missing."""


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 200


def brief(value: Any, most: int = 60) -> str:
    """A value as messages show it."""
    try:
        text = _short.repr(value) if not isinstance(value, str) or most == 60 else value
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else text[: most - 1] + "…"


def spelt_out(text: str) -> str:
    """`text` on one line that any terminal and any answer can hold: control and half characters as in Python."""
    return "".join(
        character.encode("unicode_escape").decode() if category(character) in ("Cc", "Cs", "Zl", "Zp") else character
        for character in text
    )


def traced(error: BaseException) -> str:
    """Where an error came from and of which kind, without its message: that may hold somebody's words or file names."""
    steps = reversed(traceback.extract_tb(error.__traceback__)[-8:])
    return " < ".join([type(error).__name__, *(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in steps)])


REMEDIES = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EACCES: "check who may read and write there",
    errno.EPERM: "check who may read and write there",
    errno.EROFS: "choose a place that can be written to",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "close other programs, or raise the limit with ulimit -n",
    errno.EIO: "the disk may be failing",
    errno.EADDRINUSE: "choose another port",
}
"""What to do about an error of the system, by its number."""


def explain(error: OSError) -> str:
    """What the system says went wrong, with which file, and what to do: one sentence."""
    what = error.strerror or " ".join(str(error).split()) or type(error).__name__
    where = f" ({spelt_out(str(error.filename))})" if error.filename else ""
    remedy = REMEDIES.get(error.errno or 0)
    return f"{what}{where}{f'; {remedy}' if remedy else ''}."
