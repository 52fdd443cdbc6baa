"""`textseg film`."""

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from textseg.commands.arguments import Parser, add_model, add_project, photo_bar, read_project, share, some
from textseg.errors import FilmError, UsageError, spelt_out
from textseg.wording import at_least, counted, of_file

if TYPE_CHECKING:
    from textseg.project.films import Still

HELP = "take in the frames of a film in order, carry labels from frame to frame"


def add_arguments(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    action = actions.add_parser("add", help="take in the frames of videos and of folders that number them")
    add_project(action)
    action.add_argument("films", nargs="+", type=Path, metavar="FILM", help="videos, or folders of numbered photos")
    how_often = action.add_mutually_exclusive_group()
    how_often.add_argument("--every", metavar="TIME", help="time between two frames of a video (default: 0.5s)")
    how_often.add_argument("--fps", type=float, metavar="N", help="the same as frames a second")
    action.set_defaults(act=_add)
    action = actions.add_parser("status", help="list the films, or the frames of one with how sure their labels are")
    add_project(action)
    action.add_argument("film", nargs="?", metavar="FILM", help="its name or number")
    action.set_defaults(act=_status)
    action = actions.add_parser("carry", help="carry labels from frame to frame, to where they are not sure any more")
    add_project(action)
    action.add_argument("film", metavar="FILM", help="its name or number")
    action.add_argument(
        "--from",
        dest="start",
        metavar="PHOTO",
        help="the frame to begin at (default: the first that a person labelled; with --back the last)",
    )
    action.add_argument(
        "--back", action="store_true", help="carry to the frames before it, as far as their own labels are less sure"
    )
    action.add_argument("--frames", type=some, metavar="N", help="carry to so many frames at most")
    action.add_argument(
        "--until",
        type=share,
        metavar="SHARE",
        help="stop after a frame that is less sure, 0: go to the end (default: 0.9)",
    )
    add_model(action)
    action.set_defaults(act=_carry)


def run(args: argparse.Namespace) -> int:
    return args.act(args)


def _add(args: argparse.Namespace) -> int:
    from textseg.film import intake
    from textseg.project import Project

    if args.fps is not None and not 0 < args.fps <= 1000:
        raise UsageError("--fps is the number of frames a second, more than 0.")
    every = 1 / args.fps if args.fps else intake.seconds(args.every) if args.every else intake.EVERY
    project = Project(read_project(args.folder, args.files))
    there, failed = 0, 0
    for path in args.films:
        try:
            with photo_bar() as progress:
                films = intake.take(project, path, every, progress)
        except FilmError as error:
            print(of_file(path, error), file=sys.stderr)
            failed += 1
            continue
        for film in films:
            print(spelt_out(str(film)))
            for note in film.notes:
                print(spelt_out(note))
            for name, reason in film.failed:
                print(of_file(name, reason), file=sys.stderr)
            there += film.there
            failed += len(film.failed)
    return 0 if not failed else 1 if there else 2


def _status(args: argparse.Namespace) -> int:
    from textseg.project import Project

    films = Project(read_project(args.folder, args.files)).films
    if args.film is None:
        found = films.all()
        for film in found:
            print(spelt_out(f"{film.id:4}  {film.name:30} {counted(film.frames, 'frame'):>13}"))
        if not found:
            print("The project has no film; textseg film add brings one.")
        return 0
    film = films.find(args.film)
    for still in films.stills(film):
        at = f"{still.at:9.2f} s" if film.timed else f"{still.at:9.0f}  "
        print(spelt_out(f"{still.photo:6}  {at}  {still.name:40} {still.state:16} {_told(still)}").rstrip())
    return 0


def _told(still: "Still") -> str:
    """What is known of a frame's labels beside its state."""
    if still.confirmed or still.sure is None:
        return ""
    return "drawn by hand" if still.carried is None else f"{at_least(still.sure)} sure"


def _carry(args: argparse.Namespace) -> int:
    from textseg.project import Project

    project = Project(read_project(args.folder, args.files))
    film = project.films.find(args.film)

    from textseg.film import chain  # which loads what only a film that is there needs

    start = chain.begin(project, film, None if args.start is None else project.photo(args.start).id, args.back)
    if not chain.ahead(project, film, start, args.back):
        print(f"Nothing to carry: every frame {'before' if args.back else 'after'} it is done or skipped.")
        return 0

    from textseg.model import load_model

    until = chain.STOP if args.until is None else args.until
    model = load_model(args.backbone, args.head, readout=args.readout)
    steps = chain.carry_on(project, film, lambda photo: project.scene(photo, model), start, until, args.back)
    for step in islice(steps, args.frames):
        frame = spelt_out(step.to.name)
        if step.kept:
            print(f"{frame}: its labels are surer already and stay.")
            break
        print(f"{frame}: {at_least(step.sure)} sure, {counted(step.changed, 'pixel')} changed", flush=True)
        if step.sure < until:
            print(f"Stopped: {frame} is less sure than {until:.0%}; correct it, mark it done, carry on.")
    return 0
