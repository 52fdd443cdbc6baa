"""`textseg train`: a head is fitted to a frozen backbone, and survives whatever happens on the way.

The same command runs on a CPU, on a GPU and in several processes (trainer/batches.py says how they share the work):

    accelerate launch --multi_gpu --num_processes 4 -m textseg.cli train --objective pacl --data ... --out ...

(`--multi_gpu` also where there are only CPUs: `--cpu` starts one process.) A training that was killed goes on with
`--resume` and ends with the same numbers.
"""

import argparse
import datetime
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from textseg.errors import Cancelled, TrainingError
from textseg.files import write_atomically
from textseg.model import backbones, heads
from textseg.model.backbones import Backbone
from trainer import data as training_data
from trainer import features, objectives, prepare, recipes
from trainer.batches import Batches
from trainer.data import TrainingSet
from trainer.log import Log
from trainer.prepare import Say
from trainer.recipes import Recipe


@dataclass(frozen=True)
class Progress:
    """One step done: what a page draws a live curve from."""

    step: int
    """Steps done, of `steps`."""
    steps: int
    loss: float
    terms: dict[str, float]
    seconds: float
    """Of this step."""
    seconds_left: float


def train(
    objective: str,
    data: str | Path | Sequence[str | Path] | TrainingSet,
    out: str | Path,
    backbone: str | Backbone = "lite",
    recipe: str | Path | Mapping[str, Any] | Recipe | None = None,
    resume: bool = False,
    head: str | Path | None = None,
    cache: str | Path | None = None,
    cache_limit: int = features.DEFAULT_LIMIT,
    changes: Sequence[str] = (),
    say: Say | None = None,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train a head and write it to `out`; -> the facts that the head file carries.

    `data` is one or more places (trainer/data.py), `recipe` a YAML file or settings laid over the objective's own
    (trainer/recipes), `changes` single settings as `KEY=VALUE`, `head` a head file to start from. Beside `out` appear a
    log (`.csv`), its picture (`.png`) and, until the training is done, a `.checkpoint` that `resume` goes on from.
    `cache` keeps features and embeddings, at most `cache_limit` bytes; every process of a training must see it.
    `say` gets sentences for a person, `watch` every step; `cancel` is asked at every step. Raises DatasetError,
    TrainingError, HeadError, WeightsError, UnknownNameError, and Cancelled when `cancel` said so.
    """
    out = _checked_out(out)
    objective_type = objectives.get(objective)
    if not isinstance(recipe, Recipe):
        recipe = recipes.load(objective, recipe, changes)
    if objective_type.needs == "corrections":
        return _learn(data, out, backbone, recipe, head, say or _to_stderr, cancel)
    accelerator = _accelerator(recipe.precision)
    main = accelerator.is_main_process
    say = (say or _to_stderr) if main else _to_nobody
    root = Path(cache) if cache else features.default_cache()

    if isinstance(data, TrainingSet):
        photos = data
    else:
        photos = training_data.read([data] if isinstance(data, (str, Path)) else data, root)
    if objective_type.needs == "captions":
        photos = photos.captioned()
    say(f"{', '.join(photos.sources)}: {photos}")
    if isinstance(backbone, str):
        backbone = backbones.load(backbone, "cpu" if accelerator.device.type == "cpu" else str(accelerator.device))

    identity = {
        "objective": objective,
        "backbone": f"{backbone.name} {backbone.weights_hash}",
        "data": photos.fingerprint,
        "start": str(head or ""),
        **recipe.as_dict(),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    checkpoint = _checkpoint(out.with_suffix(".checkpoint"), identity, resume)
    if resume and checkpoint is None:
        if out.is_file() and heads.read_facts(out).get("training") == digest:
            say(f"{out} is there already: this training is done.")
            return heads.read_facts(out)
        say("There is no checkpoint to go on from; the training starts from the beginning.")
    torch.manual_seed(recipe.seed)
    module = _built(objective_type, backbone, recipe, head).to(accelerator.device).train()

    photos, caches = prepare.encoded(photos, backbone, recipe, accelerator, root, cache_limit, say)
    words, labels = None, None
    if objective_type.needs == "captions":
        words = prepare.words(photos.photos, backbone, recipe, accelerator, root, say)
    else:
        labels = prepare.labels(photos.photos, caches, backbone, recipe, accelerator, root, say)
    batches = Batches(photos.photos, caches, backbone, recipe, accelerator, words, labels)
    run = _Run(module, batches, recipe, accelerator, out, identity)
    try:
        run.begin(checkpoint, say)
        run.go(say, watch, cancel)
    finally:
        batches.close()
        run.close()
    facts = {
        "objective": objective,
        "recipe": recipe.as_dict(),
        "data": photos.facts(),
        "seed": recipe.seed,
        "start": str(head) if head else None,
        "steps": run.steps,
        "parameters": sum(p.numel() for p in module.head.parameters()),
        "scores": {"loss": run.loss},
        "training": digest,
        "date": datetime.date.today().isoformat(),
        "licence": recipe.licence,
    }
    if main:
        heads.save(module.head, out, backbone, **facts)
        run.checkpoint_path.unlink(missing_ok=True)
        say(f"{out} is written, with {out.with_suffix('.csv').name} and {out.with_suffix('.png').name} beside it.")
    accelerator.wait_for_everyone()
    return facts


def _learn(
    data: str | Path | Sequence[str | Path] | TrainingSet,
    out: Path,
    backbone: str | Backbone,
    recipe: Recipe,
    head: str | Path | None,
    say: Say,
    cancel: Callable[[], bool] | None,
) -> dict[str, Any]:
    """Learn from the corrections of a project, which takes seconds: there is nothing to resume."""
    from textseg.project import Project
    from trainer import corrections

    places = [data] if isinstance(data, (str, Path)) else data
    if isinstance(places, TrainingSet) or len(places) != 1:
        raise TrainingError("This objective learns from one project; give its folder as --data DIR.")
    if isinstance(backbone, str):
        backbone = backbones.load(backbone)
    model = corrections.start_model(backbone, head)
    project = Project(places[0])
    try:
        return corrections.learn(project, out, model, recipe, say, cancel=cancel)
    finally:
        project.close()


class _Run:
    """The loop and what keeps it safe: checkpoint, log, picture."""

    def __init__(
        self,
        module: objectives.Objective,
        batches: Batches,
        recipe: Recipe,
        accelerator: Any,
        out: Path,
        identity: dict,
    ) -> None:
        self.module, self.batches, self.recipe, self.accelerator = module, batches, recipe, accelerator
        self.identity = identity
        self.steps = recipe.steps or max(1, round(recipe.epochs * batches.per_epoch))
        self.step, self.loss = 0, math.nan
        self._updating = False  # weights and step do not belong together just now
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        decays = [p for p in self.parameters if p.ndim >= 2]
        others = [p for p in self.parameters if p.ndim < 2]
        groups = [{"params": decays, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = accelerator.prepare(torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.lr))
        self.checkpoint_path = out.with_suffix(".checkpoint")
        self.log = Log(out.with_suffix(".csv")) if accelerator.is_main_process else None

    def begin(self, checkpoint: dict[str, Any] | None, say: Say) -> None:
        """Start at step 0, or where the checkpoint ends; the log is cut to that step."""
        if checkpoint is not None:
            self.module.load_state_dict(checkpoint["weights"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
            if self.accelerator.scaler is not None and checkpoint["scaler"]:
                self.accelerator.scaler.load_state_dict(checkpoint["scaler"])
            self.step, self.loss = checkpoint["step"], checkpoint["loss"]
            say(f"Going on after step {self.step:,} of {self.steps:,}.")
        self.accelerator.wait_for_everyone()  # before anyone writes a newer checkpoint
        if self.log is not None:
            self.log.begin(self.step)

    def go(self, say: Say, watch: Callable[[Progress], None] | None, cancel: Callable[[], bool] | None) -> None:
        """All remaining steps."""
        from tqdm import tqdm

        say(
            f"{self.steps - self.step:,} steps of {self.batches.size:,} photos on {self.accelerator.device}, "
            f"{sum(p.numel() for p in self.parameters):,} parameters."
        )
        began, first = time.monotonic(), self.step
        shown = self.accelerator.is_main_process and sys.stderr.isatty()
        bar = tqdm(total=self.steps, initial=first, unit="step", disable=not shown, file=sys.stderr)
        try:
            while self.step < self.steps:
                if cancel is not None and self._anyone(cancel()):
                    raise Cancelled(f"Stopped after step {self.step:,} of {self.steps:,}; --resume goes on from there.")
                row = self._one_step()
                if self.log is not None:
                    self.log.add(row)
                if self.step % self.recipe.checkpoint_every == 0 and self.step < self.steps:
                    self._save()
                bar.set_postfix(loss=f"{self.loss:.4f}", refresh=False)
                bar.update()
                if watch is not None:
                    left = (time.monotonic() - began) / (self.step - first) * (self.steps - self.step)
                    terms = {k: v for k, v in row.items() if k not in Log.ALWAYS}
                    watch(Progress(self.step, self.steps, self.loss, terms, row["seconds"], left))
        except TrainingError:
            raise  # the weights led to no number: the checkpoint before them is the better one
        except BaseException:
            if not self._updating:
                self._save()
            raise
        finally:
            bar.close()

    def _one_step(self) -> dict[str, float]:
        """One update; -> the row of the log. Raises TrainingError before anything that is no number is learnt."""
        recipe, began = self.recipe, time.monotonic()
        lr = recipe.lr * schedule(self.step, self.steps, recipe.warmup, recipe.floor)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        batch = self.batches(self.step)
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)  # the same draws after a resume and on every process
        with self.accelerator.autocast():
            terms = self.module(batch)
        loss = torch.stack([term.float() for name, term in terms.items() if not name.startswith("_")]).sum()
        self.loss = self._finite("loss", loss)
        logged = {name: float(term.detach()) for name, term in terms.items()}
        self.accelerator.backward(loss)
        self._average_gradients()
        norm = self.accelerator.clip_grad_norm_(self.parameters, recipe.clip or math.inf)
        if self.accelerator.scaler is None:  # with one, a step that overflows is skipped and the scale lowered
            self._finite("gradient", norm)
        self._updating = True
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._updating = False
        return {
            "step": self.step,
            "epoch": round(self.step / self.batches.per_epoch, 4),
            "loss": self.loss,
            "lr": lr,
            "gradient_norm": float(norm),
            "seconds": round(time.monotonic() - began, 4),
            **logged,
        }

    def _finite(self, what: str, tensor: torch.Tensor) -> float:
        value = float(tensor.detach())
        if math.isfinite(value):
            return value
        kept = (
            f" and the last good checkpoint is kept at {self.checkpoint_path}" if self.checkpoint_path.is_file() else ""
        )
        exact = ", precision no" if self.accelerator.mixed_precision != "no" else ""
        raise TrainingError(
            f"The {what} is {value} at step {self.step + 1:,} of {self.steps:,}, so the training stopped{kept}; try a "
            f"lower lr than {self.recipe.lr:g}, a longer warmup{exact} or other settings of the objective."
        )

    def _average_gradients(self) -> None:
        """Every process has computed the same gradient; the mean keeps rounding from driving them apart."""
        if self.accelerator.num_processes == 1:
            return
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        flat = self.accelerator.reduce(torch.cat([g.flatten() for g in gradients]), "mean")
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def _anyone(self, flag: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return flag
        return bool(self.accelerator.reduce(torch.tensor(float(flag), device=self.accelerator.device)) > 0)

    def _save(self) -> None:
        if not self.accelerator.is_main_process or self.step == 0:
            return
        state = {
            "identity": json.dumps(self.identity),
            "step": self.step,
            "loss": self.loss,
            "weights": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else {},
        }
        write_atomically(self.checkpoint_path, lambda file: torch.save(state, file))

    def close(self) -> None:
        """Close the log and draw it."""
        if self.log is not None:
            self.log.close()


def schedule(step: int, steps: int, warmup: float, floor: float) -> float:
    """Factor of the learning rate at `step` (from 0): linear rise over `warmup * steps`, then a cosine to `floor`."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


def _checked_out(out: str | Path) -> Path:
    """The head's path; that it cannot be written must not come to light after a night."""
    out = Path(out)
    if out.suffix != ".safetensors":
        raise TrainingError(
            f"A head is a .safetensors file, and '{out.name}' has another ending; give --out HEAD.safetensors."
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        probe = out.with_suffix(".writable")
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(f"{out.parent} cannot be written to ({error.strerror}); choose another --out.") from None
    return out


def _accelerator(precision: str) -> Any:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import parse_choice_from_env, parse_flag_from_env

    # Several processes without a GPU: Accelerate would start each as if it were alone, unless told.
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or (not alone and not torch.accelerator.is_available())
    if precision == "auto":
        bf16 = not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = parse_choice_from_env("ACCELERATE_MIXED_PRECISION", "bf16" if bf16 else "no")
    AcceleratorState._reset_state()  # an earlier training in this process may have had another precision
    return Accelerator(mixed_precision=precision, cpu=cpu)


def _built(
    objective: type[objectives.Objective], backbone: Backbone, recipe: Recipe, start: str | Path | None
) -> objectives.Objective:
    """The objective with the head to train: a new one, or a copy of `start`."""
    settings = dict(recipe.head)
    try:
        if start is not None:
            head = heads.load(start, backbone).requires_grad_(True)
        else:
            head = heads.get(settings.pop("type", objective.head_type)).build(backbone, **settings)
        return objective(head, backbone, **recipe.objective)
    except TypeError as error:  # a setting that does not exist
        raise TrainingError(f"The recipe's 'objective' or 'head' section does not fit: {error}.") from None


def _checkpoint(path: Path, identity: Mapping[str, Any], resume: bool) -> dict[str, Any] | None:
    """What to go on from, if anything; raises TrainingError when that is not what was asked for."""
    if not path.is_file():
        return None
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        made_by = json.loads(checkpoint["identity"])
    except Exception:  # torch and pickle raise many kinds
        raise TrainingError(f"{path} is damaged; delete it to start over.") from None
    other = sorted(key for key, value in identity.items() if made_by.get(key) != value)
    if resume and other:
        raise TrainingError(
            f"{path.name} belongs to another training (other: {', '.join(other)}); leave out --resume to start over."
        )
    if not resume and not other:
        raise TrainingError(
            f"{path} holds {checkpoint['step']:,} steps of this very training; go on with --resume, or delete it to "
            "start over."
        )
    return checkpoint if resume else None


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _to_nobody(text: str) -> None:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `textseg train`."""
    parser.add_argument("--objective", required=True, metavar="NAME", help="pacl, mgca, mixreorg, afss or corrections")
    parser.add_argument(
        "--data", required=True, nargs="+", metavar="PATH",
        help="TSV (file<TAB>caption), JSON list, folder of photos, or webdataset tar shards; several are put together; "
        "for corrections the folder of a project",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="HEAD.safetensors")
    parser.add_argument("--backbone", default="lite", metavar="NAME")
    parser.add_argument("--head", metavar="FILE", help="a head to start from (default: a fresh one)")
    parser.add_argument("--recipe", metavar="FILE", help="YAML with settings that differ from the objective's own")
    parser.add_argument(
        "--set",
        dest="changes",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="single settings, such as lr=0.0005 seed=1",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a training that was stopped or killed")
    parser.add_argument("--cache", metavar="DIR", help="where features are kept (default: the user's cache folder)")
    parser.add_argument(
        "--cache-limit", type=byte_count, default=features.DEFAULT_LIMIT, metavar="SIZE",
        help="bytes the cache may take, such as 20GB (the default)",
    )  # fmt: skip


def byte_count(text: str) -> int:
    """`20GB`, `500 MB` or plain bytes; raises ArgumentTypeError."""
    number = text.strip().upper().removesuffix("B")
    power = "KMGT".find(number[-1:]) + 1 if number else 0
    try:
        count = float(number[:-1] if power else number)
    except ValueError:
        count = -1.0
    if not 0 <= count < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write for example 20GB")
    return int(count * 1000**power)


def run(args: argparse.Namespace) -> int:
    """`textseg train`; -> exit status."""
    train(
        args.objective, args.data, args.out, args.backbone, args.recipe, args.resume, args.head,
        args.cache, args.cache_limit, args.changes,
    )  # fmt: skip
    return 0
