"""`textseg label`."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textseg.commands.arguments import (
    add_downscale,
    add_files,
    add_model,
    add_others,
    add_proposals,
    add_same_range,
    add_words,
    count,
    note_words,
    read_others,
    read_project,
    read_words,
    share,
    some,
    tell_notes,
    tile_bar,
)
from textseg.errors import ProjectError, UsageError, spelt_out
from textseg.vocabulary import Vocabulary
from textseg.wording import counted, of_file

if TYPE_CHECKING:
    from textseg.bulk.answerer import Question
    from textseg.bulk.run import Crew, Report
    from textseg.folders import Found
    from textseg.model.others import Choice
    from textseg.project import Project
    from textseg.project.place import Place

HELP = "pseudo-label many photos for a person to correct"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "photos",
        metavar="FOLDER|LIST|PHOTO",
        help="a folder of photos, a text file that lists them, or with --project a photo that the project has; with "
        "--engine ray also an address such as s3://",
    )
    command.add_argument("--flat", action="store_true", help="leave the subfolders of the folder out")
    add_words(command, required=False)
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="DIR", help="write <stem>.png and <stem>.json for each photo")
    where.add_argument(
        "--project",
        metavar="DIR|URL",
        help="label into this project, which is created if needed: its folder, or postgresql+psycopg://USER@HOST/NAME",
    )
    add_files(command)
    command.add_argument(
        "--confidence", type=share, metavar="T", help="lowest probability, 0 to 1, at which a region is labelled"
    )
    command.add_argument("--margin", type=share, metavar="T", help="lowest lead over the second-best word, 0 to 1")
    command.add_argument(
        "--workers",
        type=some,
        metavar="N",
        help="processes that label, each on one thread (default: one a core if there is memory, one for few photos)",
    )
    command.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="where the work runs: processes of this machine, or Ray (this machine, or the cluster of RAY_ADDRESS)",
    )
    command.add_argument("--resume", action="store_true", help="skip photos that an earlier run labelled")
    command.add_argument("--dry-run", action="store_true", help="with --project: only report what would be done")
    command.add_argument(
        "--overwrite",
        type=count,
        metavar="PIXELS",
        help="with --project: replace up to this many pixels that a person labelled (--dry-run counts them)",
    )
    add_same_range(command)
    add_downscale(command)
    add_others(command)
    add_proposals(command, "each takes the word that describes it best")
    add_model(command)


def run(args: argparse.Namespace) -> int:
    if args.project is None and (args.dry_run or args.overwrite is not None):
        raise UsageError("--dry-run and --overwrite need a project; add --project DIR.")
    if args.project is not None and args.same_range:
        raise UsageError("A project shows each photo over its own range; --same-range goes with --out.")
    place = None if args.project is None else read_project(args.project, args.files)
    there = place is not None and place.there
    if args.words is None and not there:
        raise UsageError('Say what to look for: --words "cat; kitten, sofa, wall".')
    vocabulary = None if args.words is None else read_words(args.words, args.background)

    others = read_others(args.others)
    if args.engine == "ray" and (args.project is not None or args.same_range):
        raise UsageError(
            "--engine ray writes files, each photo over its own range: give --out, leave out --same-range, and take "
            "them into a project with textseg import."
        )

    from textseg.bulk.listing import read_list
    from textseg.folders import Gathered, not_taken
    from textseg.project import Project

    if args.engine == "ray":
        assert vocabulary is not None  # there is no project
        return _told(_on_ray(args, vocabulary, others))
    for text in (args.photos, args.out or ""):
        if "://" in text:
            raise UsageError(f"{text} is an address; read and write it with --engine ray.")
    kept = _kept(Project(place), args.photos) if place is not None and there else None
    if kept is None:
        gathered = read_list(Path(args.photos), args.flat, None if args.out is None else Path(args.out))
    else:
        gathered = Gathered([kept])
    if args.dry_run:
        return _dry(gathered.photos, Project(place) if place is not None and there else None)
    report = _labelled(args, gathered.photos, vocabulary, place, others)
    return _told(report, not_taken(gathered.others, [one.path.name for one, _ in report.failed]))


def _kept(project: "Project", name: str) -> "Found | None":
    """A photo that the project has, by its name there; None where a file is meant."""
    from textseg.folders import Found

    if Path(name).exists():
        return None
    try:
        row = project.photo(name)
    except ProjectError:
        return None
    return Found(project.original(row), row.name)


def _told(report: "Report", left: str = "") -> int:
    """Say what became of the photos, and what of the folder was `left` out; the exit status."""
    if report.stopped:
        print(f"textseg: {report.stopped} --resume goes on from there.", file=sys.stderr)
    print(f"{counted(len(report.labelled), 'photo')} labelled, {len(report.skipped)} left as they were.")
    if left:
        print(spelt_out(left))
    if not report.failed and not report.stopped:
        return 0
    return 1 if report.labelled or report.skipped else 2


def _labelled(
    args: argparse.Namespace,
    photos: "list[Found]",
    vocabulary: Vocabulary | None,
    place: "Place | None",
    others: "Choice",
) -> "Report":
    """The run itself, on processes of this machine."""
    from textseg.bulk import large, run
    from textseg.bulk.answerer import Question
    from textseg.bulk.files import LabelFolder
    from textseg.bulk.targets import IntoFolder, IntoProject
    from textseg.folders import common_span
    from textseg.pseudolabel import CONFIDENCE, MARGIN

    confidence = CONFIDENCE if args.confidence is None else args.confidence
    margin = MARGIN if args.margin is None else args.margin
    target: IntoFolder | IntoProject
    if place is None:
        assert vocabulary is not None  # asked for above
        out = LabelFolder(Path(args.out), photos)
        span = common_span(photos) if args.same_range else None
        question = Question(vocabulary, confidence, margin, others, span)
        target = IntoFolder(out, question, args.resume)
    else:
        project = _project_with(place, vocabulary)
        words, class_ids = project.vocabulary()
        question = Question(words, confidence, margin, others, form="regions", encodings=project.encodings.folder)
        target = IntoProject(project, class_ids, args.resume, args.overwrite)

    ordinary, huge = large.parted(photos)
    if huge and args.proposals not in (None, "regions"):
        raise UsageError(f"{huge[0].path.name} is labelled by tiles, which take no masks; leave --proposals out.")
    report = run.Report()
    if ordinary:
        with _crew(args, question, len(ordinary)) as crew:
            tell_notes(crew.facts.notes)
            with _bar(len(ordinary)) as progress:
                report = run.label(ordinary, target, crew, _tell, progress)
    if huge and not report.stopped:
        from textseg.model import load_model

        model = load_model(args.backbone, args.head, readout=args.readout)
        if not ordinary:
            note_words(model, question.vocabulary, others)
        with tile_bar() as tiles_done:
            large.label(huge, target, model, question, report, args.downscale, _tell, tiles_done)
    return report


def _on_ray(args: argparse.Namespace, vocabulary: Vocabulary, others: "Choice") -> "Report":
    """The run on Ray, into files."""
    from textseg.bulk import ray_engine, urls
    from textseg.bulk.answerer import Answerer, Named, Question
    from textseg.bulk.listing import read_list
    from textseg.pseudolabel import CONFIDENCE, MARGIN

    confidence = CONFIDENCE if args.confidence is None else args.confidence
    margin = MARGIN if args.margin is None else args.margin
    question = Question(vocabulary, confidence, margin, others)
    if urls.is_url(args.photos):
        sources = urls.sources(args.photos, args.flat)
    else:
        without = None if urls.is_url(args.out) else Path(args.out)
        sources = urls.local(read_list(Path(args.photos), args.flat, without).photos)
    urls.check_stems(sources, args.photos, args.out)
    named = Named(args.backbone, args.head, args.readout, args.proposals or "regions")
    start = partial(Answerer.load, named, question)
    with ray_engine.Cluster(args.workers) as cluster:
        facts = cluster.facts(start)
        tell_notes(facts.notes)
        sharded = any(source.is_shard for source in sources)
        with _bar(None if sharded else len(sources)) as progress:
            return ray_engine.label(
                sources, question, urls.Sink(args.out), start, cluster, args.resume, _tell, progress, facts
            )


def _tell(photo: "Found", why: str) -> None:
    from tqdm import tqdm

    tqdm.write(of_file(photo, why), file=sys.stderr)


@contextmanager
def _bar(photos: int | None) -> "Iterator[Callable[[Report], None]]":
    """Photos a second, the time left and which step is slow, on a terminal only."""
    from tqdm import tqdm

    with tqdm(total=photos, unit="photo", disable=None) as bar:

        def progress(report: "Report") -> None:
            bar.set_postfix_str(report.slowest, refresh=False)
            bar.update(report.done - bar.n)

        yield progress


@contextmanager
def _crew(args: argparse.Namespace, question: "Question", photos: int) -> "Iterator[Crew]":
    """Who answers: this process with one worker, else as many processes."""
    from textseg.bulk.answerer import Answerer, Named
    from textseg.bulk.here import Here
    from textseg.bulk.processes import Processes, sensible_count

    named = Named(args.backbone, args.head, args.readout, args.proposals or "regions")
    workers = sensible_count(photos) if args.workers is None else args.workers
    start = partial(Answerer.load, named, question)
    if workers > 1:
        with Processes(start, workers) as crew:
            yield crew
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in every worker: the same sums in the same order, whatever the number of workers
    try:
        yield Here(start())
    finally:
        torch.set_num_threads(threads)


def _project_with(place: "Place", vocabulary: Vocabulary | None) -> "Project":
    """The project in `place`, made if there is none, with a class for every word."""
    from textseg.project import Project
    from textseg.project.labeller import add_words

    if vocabulary is not None and not place.there:
        return Project.create(place, vocabulary)
    project = Project(place)
    if vocabulary is not None:
        add_words(project, vocabulary)
    return project


def _dry(photos: "list[Found]", project: "Project | None") -> int:
    from textseg.bulk.preview import count

    found = count(photos, project)
    print(f"{found.new} photos would be added and labelled, {found.again} labelled again; {found.finished} are done.")
    if found.person_pixels:
        print(
            f"A person made {found.person_pixels} pixels in {found.person_photos} of them, which stay as they are; "
            f"--overwrite {found.person_pixels} would label over them too."
        )
    return 0
