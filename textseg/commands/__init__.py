"""The commands of `textseg`, one module each: `HELP`, `add_arguments(parser)` and `run(args)`, the exit status."""
