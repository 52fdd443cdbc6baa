"""The `textseg` command.

Exit status: 0 done; 1 done in part (each failed photo on standard error as `PHOTO: reason`, the rest written);
2 nothing done, one sentence on standard error.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from textseg import __version__, images
from textseg.errors import FormatError, PhotoError, ProjectError, TextsegError, VocabularyError
from textseg.files import write_atomically
from textseg.vocabulary import Vocabulary, template_names

if TYPE_CHECKING:
    from textseg.bulk import LabelFolder
    from textseg.model import Model, Scene
    from textseg.project import Project

_FORMATS = "coco, panoptic, voc, yolo, labelme, cvat, hf or png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status and never raises on bad input."""
    # Nothing is asked of any network unless a person names a model that must be fetched.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    parser = build_parser()
    try:
        args = parser.parse_args(arguments)
        return args.run(args)
    except TextsegError as error:
        print(f"textseg: {error}", file=sys.stderr)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"textseg: {error.strerror or error}{where}; nothing more was written.", file=sys.stderr)
    except Exception as error:
        if os.environ.get("TEXTSEG_TRACEBACK"):
            raise
        print(
            f"textseg: this should not happen ({type(error).__name__}: {' '.join(str(error).split())[:200]}); "
            "please report it, with what TEXTSEG_TRACEBACK=1 shows.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("textseg: stopped.", file=sys.stderr)
        return 130
    return 2


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is answered in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="textseg", description="Type words, see where each word is in your photos.")
    parser.add_argument("--version", action="version", version=f"textseg {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    command = commands.add_parser("serve", help="open the pages in a browser")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=7860)
    command.add_argument("--project", type=Path, metavar="DIR", help="the project folder to label in")
    _add_model(command, readout=False)
    command.set_defaults(run=_serve)

    command = commands.add_parser("segment", help="label photos with words")
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photos, or folders of photos")
    command.add_argument("--words", required=True, help='"cat; kitten, sofa, wall", - for standard input, or @FILE')
    command.add_argument("--out", required=True, type=Path, metavar="DIR")
    command.add_argument("--background", default="", metavar="WORDS", help="words that win pixels but show as none")
    command.add_argument("--threshold", type=_share, metavar="T", help="least similarity, 0..1, for a word to show")
    command.add_argument("--overlay", action="store_true", help="also write <stem>.overlay.png")
    command.add_argument("--similarity", action="store_true", help="also write one <stem>.<id>.similarity.png a word")
    _add_answer(command)
    _add_model(command)
    command.set_defaults(run=_segment)

    command = commands.add_parser("evaluate", help="measure mIoU on a folder of photos and label maps")
    _evaluation_arguments(command)
    _add_answer(command)
    _add_model(command)
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("train", help="train a head")
    _training_arguments(command)
    command.set_defaults(run=_train)

    command = commands.add_parser("label", help="pseudo-label a folder of photos, for a person to correct")
    command.add_argument("photos", type=Path, metavar="FOLDER|LIST", help="a folder, or a text file of photos")
    command.add_argument("--words", help='"cat; kitten, sofa, wall", - for standard input, or @FILE')
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="write <stem>.png and <stem>.json of each photo")
    where.add_argument("--project", type=Path, metavar="DIR", help="label into this project; made if there is none")
    command.add_argument("--background", default="", metavar="WORDS", help="words that win pixels but show as none")
    command.add_argument("--confidence", type=_share, metavar="T", help="least probability of a region's word, 0..1")
    command.add_argument("--margin", type=_share, metavar="T", help="least distance to the runner-up, 0..1")
    command.add_argument("--engine", choices=["local"], default="local", help="where the work is done")
    command.add_argument("--resume", action="store_true", help="skip what an earlier run has labelled")
    command.add_argument("--dry-run", action="store_true", help="with --project: count, and change nothing")
    command.add_argument(
        "--overwrite",
        type=_count,
        metavar="PIXELS",
        help="with --project: go over at most so many pixels that a person made (--dry-run counts them)",
    )
    _add_model(command)
    command.set_defaults(run=_label)

    command = commands.add_parser("project", help="make a project, add photos, see its state")
    actions = command.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    action = actions.add_parser("new", help="make a project with these classes")
    action.add_argument("folder", type=Path, metavar="DIR")
    action.add_argument("--words", required=True, help='"cat; kitten, sofa, wall", - for standard input, or @FILE')
    action.set_defaults(run=_project_new)
    action = actions.add_parser("add", help="take in photos")
    action.add_argument("folder", type=Path, metavar="DIR")
    action.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photos, or folders of photos")
    action.set_defaults(run=_project_add)
    action = actions.add_parser("status", help="photos by state, classes, pixels, revisions")
    action.add_argument("folder", type=Path, metavar="DIR")
    action.add_argument("--json", action="store_true", help="as JSON")
    action.set_defaults(run=_project_status)
    action = actions.add_parser("history", help="every step of one photo")
    action.add_argument("folder", type=Path, metavar="DIR")
    action.add_argument("photo", metavar="PHOTO", help="its file name or stored id")
    action.set_defaults(run=_project_history)

    action = actions.add_parser("heads", help="what the project has learnt: list, activate, export or share a head")
    action.add_argument("folder", type=Path, metavar="DIR")
    action.add_argument("--activate", metavar="N", help="label with head N from now on, or 'none': as it began")
    action.add_argument("--export", metavar="N", type=int, help="copy head N to --out")
    action.add_argument("--out", type=Path, metavar="FILE", help="a .safetensors file, or a folder")
    action.add_argument("--push", metavar="N", type=int, help="upload head N to --to")
    action.add_argument("--to", metavar="OWNER/NAME", help="a model on the Hub, private")
    action.set_defaults(run=_project_heads)

    command = commands.add_parser("export", help="write a project's photos and label maps for another program")
    command.add_argument("folder", type=Path, metavar="DIR", help="the project")
    command.add_argument("--format", required=True, metavar="NAME", help=_FORMATS)
    command.add_argument("--out", required=True, type=Path, metavar="PATH", help="a new folder, or an older export")
    command.add_argument("--split", metavar="SHARES", help="train=0.8,val=0.1,test=0.1; look-alikes stay together")
    command.add_argument("--seed", type=int, default=0, help="another number deals the split otherwise")
    command.add_argument("--states", metavar="LIST", help='only photos in these states, e.g. "done, in work"')
    command.add_argument("--classes", metavar="LIST", help="only these classes; others become unlabelled")
    command.add_argument("--provenance", metavar="LIST", help="only pixels that are: person, accepted, model")
    command.add_argument("--polygons", action="store_true", help="polygons instead of masks (coco, labelme)")
    command.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload to this dataset, private (hf)")
    command.add_argument("--dry-run", action="store_true", help="only say what would be written")
    command.add_argument("--json", action="store_true", help="the report as JSON")
    command.set_defaults(run=_export)

    command = commands.add_parser("import", help="take photos and label maps of another program into a project")
    command.add_argument("source", type=Path, metavar="PATH", help="a folder, a zip, or the file that names the rest")
    command.add_argument("--format", required=True, metavar="NAME", help=_FORMATS)
    command.add_argument("--into", required=True, type=Path, metavar="DIR", help="the project")
    command.add_argument(
        "--merge",
        default="unlabelled",
        choices=["unlabelled", "mine", "theirs"],
        help="where both have labels: fill only unlabelled pixels, keep labelled photos, or take theirs whole",
    )
    command.add_argument(
        "--as", dest="made_by", default="person", choices=["person", "model"], help="whose work the labels are"
    )
    command.add_argument("--background", metavar="CLASS", help="the class that id 0 stands for, or 'unlabelled'")
    command.add_argument("--strict", action="store_true", help="refuse classes that the project lacks")
    command.add_argument("--dry-run", action="store_true", help="only say what would change")
    command.add_argument("--json", action="store_true", help="the report as JSON")
    command.set_defaults(run=_import)

    command = commands.add_parser("space", help="build or push a Hugging Face Space")
    command.add_argument("action", choices=["build", "push"])
    command.add_argument("folder", type=Path, metavar="DIR")
    command.set_defaults(run=_space)

    command = commands.add_parser("doctor", help="what is installed, and which models can load now")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=_doctor)
    return parser


def _add_model(command: argparse.ArgumentParser, readout: bool = True) -> None:
    command.add_argument("--backbone", default="lite", metavar="NAME", help="lite, clip:MODEL/TAG, dinov2:SIZE ...")
    command.add_argument("--head", default="default", metavar="FILE", help="a head file, 'default' or 'none'")
    if readout:
        command.add_argument("--readout", metavar="NAME", help="the dense readout of a clip backbone")


def _add_answer(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", default="pixel", metavar="NAME", help="pixel, unit, slic or proposal")
    command.add_argument("--refine", metavar="NAME", help="how to bring labels to image edges, or none")
    command.add_argument("--templates", choices=template_names(), help="prompt templates around each word")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)


def _serve(args: argparse.Namespace) -> int:
    from textseg import web

    web.serve(host=args.host, port=args.port, project=args.project, backbone=args.backbone, head=args.head)
    return 0


def _segment(args: argparse.Namespace) -> int:
    vocabulary = read_words(args.words, args.background)
    photos = images.find(args.photos)
    if not photos:
        raise PhotoError("There are no photos in the folders given.")
    from tqdm import tqdm

    from textseg.bulk import LabelFolder
    from textseg.model import load_model

    out = LabelFolder(args.out, photos)
    model = load_model(args.backbone, args.head, readout=args.readout)
    failed = 0
    for path in tqdm(photos, unit="photo", disable=None):
        try:
            out.claim(path)
            try:
                _segment_one(model, path, vocabulary, out, args)
            except TextsegError:
                out.release(path)
                raise
        except TextsegError as error:
            if not isinstance(error, PhotoError):
                raise  # the words or the choice of method are at fault, not this photo
            failed += 1
            tqdm.write(f"{path}: {error}", file=sys.stderr)
    return 0 if not failed else 1 if failed < len(photos) else 2


def _segment_one(
    model: "Model", path: Path, vocabulary: Vocabulary, out: "LabelFolder", args: argparse.Namespace
) -> None:
    from textseg.segmentation import segment

    scene = model.encode(images.open(path))
    labels = segment(scene, vocabulary, args.by, args.refine, args.threshold, args.templates)
    out.write(path, model, labels)
    stem = out.folder / path.stem
    if args.overlay:
        write_atomically(
            stem.with_name(f"{stem.name}.overlay.png"), partial(labels.overlay(scene.photo).save, format="PNG")
        )
    if args.similarity:
        _write_similarities(scene, vocabulary, stem, args.templates)


def _write_similarities(scene: "Scene", vocabulary: Vocabulary, stem: Path, templates: str | None) -> None:
    import torch
    from PIL import Image

    from textseg.model import dense

    grid = torch.from_numpy(scene.similarity(vocabulary, templates=templates))
    for k, one in enumerate(grid, start=1):  # word by word: never K maps at the photo's size
        map_ = dense.upsample(one[None], (scene.photo.height, scene.photo.width))[0]
        image = Image.fromarray(map_.clamp(0, 1).mul(255).round().byte().numpy())
        write_atomically(stem.with_name(f"{stem.name}.{k}.similarity.png"), partial(image.save, format="PNG"))


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


def _evaluation_arguments(command: argparse.ArgumentParser) -> None:
    from trainer import evaluate

    evaluate.add_arguments(command)


def _evaluate(args: argparse.Namespace) -> int:
    from trainer import evaluate

    return evaluate.run(args)


def _training_arguments(command: argparse.ArgumentParser) -> None:
    from trainer import fit

    fit.add_arguments(command)


def _train(args: argparse.Namespace) -> int:
    from trainer import fit

    return fit.run(args)


def _label(args: argparse.Namespace) -> int:
    if args.project is None and (args.dry_run or args.overwrite is not None):
        raise VocabularyError("--dry-run and --overwrite are about a project; give --project DIR.")
    there = args.project is not None and (args.project / "project.sqlite").exists()
    if args.words is None and not there:
        raise VocabularyError('Say what to look for: --words "cat; kitten, sofa, wall".')
    vocabulary = None if args.words is None else read_words(args.words, args.background)

    from tqdm import tqdm

    from textseg import bulk

    photos = bulk.read_list(args.photos)
    if args.dry_run:
        return _label_dry(args, photos, there)

    from textseg.model import load_model
    from textseg.pseudolabel import CONFIDENCE, MARGIN

    confidence = CONFIDENCE if args.confidence is None else args.confidence
    margin = MARGIN if args.margin is None else args.margin
    model = load_model(args.backbone, args.head, readout=args.readout)
    target: bulk.Target
    if args.project is None:
        assert vocabulary is not None  # asked for above
        out = bulk.LabelFolder(args.out, photos)
        target = bulk.IntoFolder(model, vocabulary, out, confidence, margin, args.resume)
    else:
        project = _project_with(args.project, vocabulary)
        target = bulk.IntoProject(model, project, confidence, margin, args.resume, args.overwrite)
    with tqdm(photos, unit="photo", disable=None) as bar:
        report = bulk.label(bar, target, tell=lambda photo, why: tqdm.write(f"{photo}: {why}", file=sys.stderr))
    if report.stopped:
        print(f"textseg: {report.stopped} --resume goes on from there.", file=sys.stderr)
    print(f"{len(report.labelled)} photos labelled, {len(report.skipped)} left as they were.")
    if not report.failed and not report.stopped:
        return 0
    return 1 if report.labelled or report.skipped else 2


def _project_with(folder: Path, vocabulary: Vocabulary | None) -> "Project":
    """The project in `folder`, made if there is none, with a class for every word."""
    from textseg.project import Project
    from textseg.project.labeller import add_words

    if vocabulary is not None and not (folder / "project.sqlite").exists():
        return Project.create(folder, vocabulary)
    project = Project(folder)
    if vocabulary is not None:
        add_words(project, vocabulary)
    return project


def _label_dry(args: argparse.Namespace, photos: list[Path], there: bool) -> int:
    from textseg import bulk
    from textseg.project import Project

    found = bulk.count(photos, Project(args.project) if there else None)
    print(f"{found.new} photos would be added and labelled, {found.again} labelled again; {found.finished} are done.")
    if found.person_pixels:
        print(
            f"A person made {found.person_pixels} pixels in {found.person_photos} of them, which stay as they are; "
            f"--overwrite {found.person_pixels} would label over them too."
        )
    return 0


def _project_new(args: argparse.Namespace) -> int:
    from textseg.project import Project

    project = Project.create(args.folder, read_words(args.words))
    print(f"The project {project.name} has the classes {', '.join(c.name for c in project.classes())}.")
    return 0


def _project_add(args: argparse.Namespace) -> int:
    from textseg.project import Project

    report = Project(args.folder).add(args.photos)
    for path, name in report.duplicates:
        print(f"{path}: is in the project already, as {name}")
    for path, reason in report.failed:
        print(f"{path}: {reason}", file=sys.stderr)
    print(f"{len(report.added)} photos added, {len(report.duplicates)} were there already.")
    return 0 if not report.failed else 1 if report.added or report.duplicates else 2


def _project_status(args: argparse.Namespace) -> int:
    from textseg.project import Project

    status = Project(args.folder).status()
    if args.json:
        print(json.dumps(status, ensure_ascii=False, indent=1))
        return 0
    photos = dict(status["photos"])
    print(f"{status['project']}: {photos.pop('total')} photos")
    print("  " + ", ".join(f"{count} {state}" for state, count in photos.items() if count))
    for row in status["classes"]:
        print(f"  {row['id']:4} {row['name']:30} {row['pixels']:12,} pixels")
    return 0


def _project_history(args: argparse.Namespace) -> int:
    from textseg.project import Project

    for step in Project(args.folder).history(args.photo):
        what = step["type"] + (f" class {step['class']}" if step["class"] is not None else "")
        print(f"{step['revision']:6}  {step['time']}  {what:24} {step['changed_pixels']:10,} pixels")
    return 0


def _project_heads(args: argparse.Namespace) -> int:
    from textseg.project import Project
    from textseg.project.versions import Versions

    versions = Versions(Project(args.folder))
    if args.activate is not None:
        if args.activate != "none" and not args.activate.isdecimal():
            raise ProjectError(f"--activate takes the number of a head, or 'none', not '{args.activate}'.")
        versions.activate(None if args.activate == "none" else int(args.activate))
    if args.export is not None:
        if args.out is None:
            raise ProjectError("--export needs --out FILE.")
        print(f"Head {args.export} is copied to {versions.export(args.export, args.out)}.")
    if args.push is not None:
        if args.to is None:
            raise ProjectError("--push needs --to OWNER/NAME.")
        print(versions.push(args.push, args.to))
    heads = versions.heads()
    for head in heads:
        scores = [head["scores"][when] for when in ("before", "after")]
        gain = "not scored" if None in scores else "mIoU {:.1f} -> {:.1f}".format(*(one["miou"] for one in scores))
        used = "in use" if head["active"] else "" if head["there"] else "its file is gone"
        print(f"{head['id']:4}  {head['created'][:16]}  {head['data']['photos']:4} photos  {gain:24}  {used}".rstrip())
    if not any(head["active"] for head in heads):
        print("The head that the program is started with is in use.")
    return 0


def _export(args: argparse.Namespace) -> int:
    from textseg import formats
    from textseg.project import Project

    if args.push_to_hub and args.format != "hf":
        raise FormatError("Only the format hf can be pushed to the Hub.")
    chosen = {name: _list(getattr(args, name)) for name in ("states", "classes", "provenance") if getattr(args, name)}
    split = formats.parse_split(args.split) if args.split else None
    with _progress() as progress:
        report = formats.export(
            Project(args.folder),
            args.format,
            args.out,
            split=split,
            seed=args.seed,
            polygons=args.polygons,
            dry_run=args.dry_run,
            progress=progress,
            **chosen,
        )
    if args.push_to_hub and not args.dry_run:
        from textseg.formats import hf

        report.notes.append(hf.push(args.out, args.push_to_hub))
    for photo, reason in report.skipped:
        print(f"{photo}: {reason}", file=sys.stderr)
    print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1) if args.json else report.describe())
    return 1 if report.skipped else 0


def _import(args: argparse.Namespace) -> int:
    from textseg import formats
    from textseg.project import Project

    with _progress() as progress:
        report = formats.import_(
            args.source,
            args.format,
            Project(args.into),
            merge=args.merge,
            dry_run=args.dry_run,
            strict=args.strict,
            source=args.made_by,
            background=args.background,
            progress=progress,
        )
    print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1) if args.json else report.describe())
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar of photos on standard error, on a terminal only."""
    from tqdm import tqdm

    with tqdm(unit="photo", disable=None) as bar:

        def progress(done: int, number: int) -> None:
            bar.total = number
            bar.update(done - bar.n)

        yield progress


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _space(args: argparse.Namespace) -> int:
    from textseg import space

    print(space.build(args.folder) if args.action == "build" else space.push(args.folder))
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from textseg import doctor

    report = doctor.report()
    print(json.dumps(report, indent=1) if args.json else doctor.describe(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
