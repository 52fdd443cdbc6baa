"""The log of a training: a CSV file with one line a step, and a picture of it."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textseg.files import write_atomically


class Log:
    """One line a step in a CSV file, and a picture of it."""

    ALWAYS = ("step", "epoch", "loss", "lr", "gradient_norm", "seconds")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self._rows: list[dict[str, str]] = []

    def begin(self, step: int) -> None:
        """Keep the first `step` lines of an earlier log, if there is one."""
        if step and self.path.is_file():
            with self.path.open(newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if (row["step"] or "").isdigit()][:step]
        self._file = self.path.open("w", newline="")
        self._writer: csv.DictWriter | None = None
        for row in self._rows:
            self._write(row)
        self._file.flush()

    def add(self, row: Mapping[str, Any]) -> None:
        self._rows.append({key: str(value) for key, value in row.items()})
        self._write(row)
        self._file.flush()

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row), restval="", extrasaction="ignore")
            self._writer.writeheader()
        self._writer.writerow(row)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._rows:
            draw(self._rows, self.path.with_suffix(".png"))


def draw(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Picture of a log: the loss and its terms by step, each step faint and a running mean on top."""
    from matplotlib.figure import Figure

    names = ["loss", *(n for n in rows[0] if n not in Log.ALWAYS and not n.startswith("_"))]
    names = names[:1] if len(names) == 2 else names  # a single term is the loss
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss")
    steps = [int(row["step"]) for row in rows]
    for name in names:
        values = [float(row.get(name) or "nan") for row in rows]
        smooth, mean = [], values[0]
        for value in values:
            mean += (value - mean) * min(1.0, max(0.05, 10 / len(values)))
            smooth.append(mean)
        (line,) = axes.plot(steps, smooth, label=name, linewidth=2 if name == "loss" else 1)
        axes.plot(steps, values, color=line.get_color(), alpha=0.2, linewidth=0.7)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120))
