"""`textseg project`."""

import argparse
import json
import sys
from pathlib import Path

from textseg.commands.arguments import Parser, add_project, add_words, photo_bar, read_project, read_words
from textseg.errors import PhotoError, UsageError, spelt_out
from textseg.wording import counted, of_file

HELP = "create a project, add photos, show its state, history and heads"


def add_arguments(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    action = actions.add_parser("new", help="create a project with these classes")
    add_project(action)
    add_words(action, background=False)
    action.set_defaults(act=_new)
    action = actions.add_parser("add", help="add photos")
    add_project(action)
    action.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photos, or folders of photos")
    action.add_argument("--flat", action="store_true", help="leave the subfolders of folders out")
    action.set_defaults(act=_add)
    action = actions.add_parser("status", help="count photos by state and pixels by class")
    add_project(action)
    action.add_argument("--json", action="store_true", help="print JSON")
    action.set_defaults(act=_status)
    action = actions.add_parser("check", help="name the photos whose files are gone, damaged or changed")
    add_project(action)
    action.add_argument("--skip", action="store_true", help="skip those not done: nobody is asked to label them")
    action.add_argument("--take", action="store_true", help="take huge photos that were changed as they are now")
    action.set_defaults(act=_check)
    action = actions.add_parser("history", help="list every edit of one photo")
    add_project(action)
    action.add_argument("photo", metavar="PHOTO", help="its file name or stored id")
    action.set_defaults(act=_history)
    action = actions.add_parser("heads", help="list the heads trained on the project; activate, export or upload one")
    add_project(action)
    action.add_argument("--activate", metavar="N", help="label with head N from now on, or with 'none' of them")
    action.add_argument("--export", metavar="N", type=int, help="copy head N to --out")
    action.add_argument("--out", type=Path, metavar="FILE", help="a .safetensors file, or a folder")
    action.add_argument("--push", metavar="N", type=int, help="upload head N to --to")
    action.add_argument("--to", metavar="OWNER/NAME", help="a private model repository on the Hugging Face Hub")
    action.set_defaults(act=_heads)


def run(args: argparse.Namespace) -> int:
    return args.act(args)


def _new(args: argparse.Namespace) -> int:
    from textseg.project import Project

    project = Project.create(read_project(args.folder, args.files), read_words(args.words))
    print(f"The project {project.name} has the classes {', '.join(c.name for c in project.classes())}.")
    return 0


def _add(args: argparse.Namespace) -> int:
    from textseg.folders import not_taken
    from textseg.project import Project

    project = Project(read_project(args.folder, args.files))
    with photo_bar() as progress:
        report = project.add(args.photos, progress, flat=args.flat)
    for path, name in report.duplicates:
        print(f"{spelt_out(str(path))}: is in the project already, as {name}")
    for path, reason in report.failed:
        print(of_file(path, reason), file=sys.stderr)
    for note in report.notes:
        print(spelt_out(note))
    print(f"{counted(len(report.added), 'photo')} added, {len(report.duplicates)} there already.")
    if left := not_taken(report.others, [path for path, _ in report.failed]):
        print(spelt_out(left))
    if not report.ids and not report.failed:
        raise PhotoError("There are no photos in the folders given.")
    return 0 if not report.failed else 1 if report.added or report.duplicates else 2


def _status(args: argparse.Namespace) -> int:
    from textseg.project import Project

    status = Project(read_project(args.folder, args.files)).status()
    if args.json:
        print(json.dumps(status, ensure_ascii=False, indent=1))
        return 0
    photos = dict(status["photos"])
    print(f"{status['project']}: {photos.pop('total')} photos")
    print("  " + ", ".join(f"{count} {state}" for state, count in photos.items() if count))
    for row in status["classes"]:
        print(f"  {row['id']:4} {row['name']:30} {row['pixels']:12,} pixels")
    return 0


def _check(args: argparse.Namespace) -> int:
    from textseg.project import Project

    project = Project(read_project(args.folder, args.files))
    with photo_bar() as progress:
        faults = project.unreadable(progress)
    if args.take:
        faults = project.take_changed(faults)
    for photo, reason in faults:
        print(of_file(photo.name, reason), file=sys.stderr)
    count = sum(project.photos_by_state().values())
    told = f"{count - len(faults)} of {count} photos can be read."
    if args.skip and faults:
        told += f" {counted(len(project.skip(faults)), 'photo')} skipped now; what is done stays done."
    print(told)
    return 1 if faults else 0


def _history(args: argparse.Namespace) -> int:
    from textseg.project import Project

    for step in Project(read_project(args.folder, args.files)).history(args.photo):
        what = step["type"] + (f" class {step['class']}" if step["class"] is not None else "")
        by = f"  {spelt_out(step['by'])}" if "by" in step else ""
        print(f"{step['revision']:6}  {step['time']}  {what:24} {step['changed_pixels']:10,} pixels{by}")
    return 0


def _heads(args: argparse.Namespace) -> int:
    from textseg.project import Project

    project = Project(read_project(args.folder, args.files))
    if args.activate is not None:
        if args.activate != "none" and not args.activate.isdecimal():
            raise UsageError(f"--activate takes the number of a head, or 'none', not '{args.activate}'.")
        project.heads.activate(None if args.activate == "none" else int(args.activate))
    if args.export is not None:
        if args.out is None:
            raise UsageError("--export needs --out FILE.")
        print(f"Head {args.export} is copied to {project.heads.export(args.export, args.out)}.")
    if args.push is not None:
        if args.to is None:
            raise UsageError("--push needs --to OWNER/NAME.")
        print(project.heads.push(args.push, args.to))
    heads = project.heads.all()
    for head in heads:
        scores = [head["scores"][when] for when in ("before", "after")]
        gain = "not scored" if None in scores else "mIoU {:.1f} -> {:.1f}".format(*(one["miou"] for one in scores))
        used = "in use" if head["active"] else "" if head["there"] else "its file is gone"
        print(f"{head['id']:4}  {head['created'][:16]}  {head['data']['photos']:4} photos  {gain:24}  {used}".rstrip())
    if not any(head["active"] for head in heads):
        print("The head that the program is started with is in use.")
    return 0
