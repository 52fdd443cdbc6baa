"""The `textseg` command: joins the commands of `textseg.commands`.

Exit status: 0 done; 1 done in part (each failed photo on standard error as `PHOTO: reason`, the rest written);
2 nothing done, one sentence on standard error.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from textseg import __version__
from textseg.commands import (
    doctor,
    evaluate,
    export,
    film,
    import_,
    label,
    models,
    project,
    segment,
    serve,
    space,
    train,
    users,
)
from textseg.commands.arguments import Parser
from textseg.errors import TextsegError, explain

COMMANDS = {
    "serve": serve,
    "segment": segment,
    "evaluate": evaluate,
    "train": train,
    "label": label,
    "project": project,
    "film": film,
    "export": export,
    "import": import_,
    "models": models,
    "space": space,
    "users": users,
    "doctor": doctor,
}


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
        print(f"textseg: {explain(error)}", file=sys.stderr)
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


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="textseg", description="Type words, see where each word is in your photos.")
    parser.add_argument("--version", action="version", version=f"textseg {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP)
        command.arguments = module.add_arguments
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
