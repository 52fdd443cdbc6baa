"""The training loop: batches through the objective, one update a step, and what keeps a long training safe."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from textseg.errors import Cancelled, TrainingError
from trainer import checkpoints
from trainer.batches import Batches
from trainer.log import Log
from trainer.objectives import Objective
from trainer.prepare import Say
from trainer.recipes import Recipe


@dataclass(frozen=True)
class Step:
    """One step done: what a page draws a live curve from."""

    step: int
    """Steps done, of `steps`."""
    steps: int
    loss: float
    terms: dict[str, float]
    seconds: float
    """Of this step."""
    seconds_left: float


class Loop:
    """The loop and what keeps it safe: checkpoint, log, picture."""

    def __init__(
        self,
        module: Objective,
        batches: Batches,
        recipe: Recipe,
        accelerator: Any,
        out: Path,
        identity: dict,
    ) -> None:
        self.module, self.batches, self.recipe, self.accelerator = module, batches, recipe, accelerator
        self.identity = identity
        self.steps = recipe.step_count(len(batches.photos))
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

    def go(self, say: Say, watch: Callable[[Step], None] | None, cancel: Callable[[], bool] | None) -> None:
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
                    watch(Step(self.step, self.steps, self.loss, terms, row["seconds"], left))
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
            "step": self.step,
            "loss": self.loss,
            "weights": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else {},
        }
        checkpoints.write(self.checkpoint_path, self.identity, state)

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
