"""`textseg train`: a head is fitted to a frozen backbone, and survives whatever happens on the way.

The same command runs on a CPU, on a GPU and in several processes (trainer/batches.py says how they share the work):

    accelerate launch --multi_gpu --num_processes 4 -m textseg.cli train --objective pacl --data ... --out ...

(`--multi_gpu` also where there are only CPUs: `--cpu` starts one process.) A training that was killed goes on with
`--resume` and ends with the same numbers.
"""

import datetime
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from textseg.errors import TrainingError
from textseg.model import backbones, heads
from textseg.model.backbones import Backbone
from textseg.project.place import Place
from textseg.proposals import load_proposer
from trainer import checkpoints, features, objectives, prepare, recipes, rehearsal
from trainer import data as training_data
from trainer.batches import Batches
from trainer.data import TrainingSet
from trainer.loop import Loop, Step
from trainer.prepare import Say
from trainer.recipes import Recipe

PATIENCE = datetime.timedelta(hours=12)
"""How long processes wait for each other: of a large data set one part may take far longer than another."""


def train(
    objective: str,
    data: str | Path | Place | Sequence[str | Path] | TrainingSet,
    out: str | Path,
    backbone: str | Backbone = "lite",
    recipe: str | Path | Mapping[str, Any] | Recipe | None = None,
    resume: bool = False,
    head: str | Path | None = None,
    cache: str | Path | None = None,
    cache_limit: int = features.DEFAULT_LIMIT,
    changes: Sequence[str] = (),
    say: Say | None = None,
    watch: Callable[[Step], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    until: Literal["planned", "prepared", "trained"] = "trained",
) -> dict[str, Any]:
    """Train a head and write it to `out`; -> the facts that the head file carries.

    `data` is one or more places (trainer/data.py), `recipe` a YAML file or settings laid over the objective's own
    (trainer/recipes), `changes` single settings as `KEY=VALUE`, `head` a head file to start from. Beside `out` appear a
    log (`.csv`), its picture (`.png`) and, until the training is done, a `.checkpoint` that `resume` goes on from.
    `cache` keeps features and embeddings, at most `cache_limit` bytes; every process of a training must see it.
    `say` gets sentences for a person, `watch` every step; `cancel` is asked at every step. `until` "planned" reads the
    data, loads the models and says what would be done, in bytes and hours (trainer/rehearsal.py), "prepared" stops
    before the first step. Raises DatasetError, TrainingError, HeadError, WeightsError, UnknownNameError, and Cancelled
    when `cancel` said so.
    """
    out = _checked_out(out)
    objective_type = objectives.get(objective)
    name = backbone if isinstance(backbone, str) else backbone.name
    if not isinstance(recipe, Recipe):
        recipe = recipes.load(objective, recipe, changes, name, head)
    if head is not None and recipe.head:
        raise TrainingError(f"{Path(head).name} has its own settings; leave out the recipe's 'head', or --head.")
    if objective_type.needs == "corrections":
        if until != "trained":
            raise TrainingError("Learning from corrections takes seconds and needs no preparation; just run it.")
        return _learn(data, out, backbone, recipe, head, say or _to_stderr, cancel)
    accelerator = _accelerator(recipe.precision)
    main = accelerator.is_main_process
    say = (say or _to_stderr) if main else _to_nobody
    root = Path(cache) if cache else features.default_cache()

    if isinstance(data, Place):
        raise TrainingError(f"Only corrections are learnt from a project; {objective} wants photos.")
    if isinstance(data, TrainingSet):
        photos = data
    else:
        share = (accelerator.process_index, accelerator.num_processes)
        places = [data] if isinstance(data, (str, Path)) else data
        photos = training_data.read(places, root, share, accelerator.wait_for_everyone)
    if objective_type.needs == "captions":
        photos = photos.captioned()
    say(f"{', '.join(photos.sources)}: {photos}")
    if isinstance(backbone, str):
        device = "cpu" if accelerator.device.type == "cpu" else str(accelerator.device)
        readout = recipe.readout or (heads.trained_readout(head) if head is not None else None)
        backbone = backbones.load(backbone, device, readout)
    elif recipe.readout not in ("", heads.readout_of(backbone)):
        raise TrainingError(
            f"'{backbone.name}' is loaded with the readout '{heads.readout_of(backbone)}', and the recipe's 'readout' "
            f"is '{recipe.readout}'; leave one of them out."
        )

    identity = {
        "objective": objective,
        "backbone": f"{backbone.name} {backbone.weights_hash}",
        "data": photos.fingerprint,
        "start": str(head or ""),
        **recipe.as_dict(),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    checkpoint = checkpoints.read(out.with_suffix(".checkpoint"), identity, resume)
    if resume and checkpoint is None:
        if out.is_file() and heads.read_facts(out).get("training") == digest:
            say(f"{out} is there already: this training is done.")
            return heads.read_facts(out)
        say("There is no checkpoint to go on from; the training starts from the beginning.")
    torch.manual_seed(recipe.seed)
    module = _built(objective_type, backbone, recipe, head).to(accelerator.device).train()

    words, labels, proposer = None, None, None
    if objective_type.needs == "labels":  # what cannot be had is told before hours of encoding
        proposer = load_proposer(recipe.proposer, str(accelerator.device))
    if until == "planned":
        rehearsal.rehearse(photos, backbone, recipe, module, proposer, accelerator, root, cache_limit, say)
        say("Nothing was encoded for the cache, nothing trained.")
        return {}
    photos, caches = prepare.encoded(photos, backbone, recipe, accelerator, root, cache_limit, say)
    if proposer is None:
        words = prepare.words(photos.photos, backbone, recipe, accelerator, root, say)
    else:
        labels = prepare.labels(photos.photos, caches, backbone, recipe, proposer, accelerator, root, say)
    if until == "prepared":
        say(f"Everything is prepared in {root}; the same command without --prepare trains.")
        accelerator.wait_for_everyone()
        return {}
    batches = Batches(photos.photos, caches, backbone, recipe, accelerator, words, labels)
    run = Loop(module, batches, recipe, accelerator, out, identity)
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
        module.head.logit_scale = module.logit_scale() or module.head.logit_scale
        heads.save(module.head, out, backbone, **facts)
        run.checkpoint_path.unlink(missing_ok=True)
        say(f"{out} is written, with {out.with_suffix('.csv').name} and {out.with_suffix('.png').name} beside it.")
    accelerator.wait_for_everyone()
    return facts


def _learn(
    data: str | Path | Place | Sequence[str | Path] | TrainingSet,
    out: Path,
    backbone: str | Backbone,
    recipe: Recipe,
    head: str | Path | None,
    say: Say,
    cancel: Callable[[], bool] | None,
) -> dict[str, Any]:
    """Learn from the corrections of a project, which takes seconds: there is nothing to resume."""
    from textseg.model import load_model
    from textseg.project import Project
    from trainer import corrections

    places = [data] if isinstance(data, (str, Path, Place)) else data
    if isinstance(places, TrainingSet) or len(places) != 1:
        raise TrainingError("This objective learns from one project; give its folder or URL as --data.")
    model = load_model(backbone, head or "default", readout=recipe.readout or None)
    project = Project(places[0])
    try:
        return corrections.learn(project, out, model, recipe, say, cancel=cancel)
    finally:
        project.close()


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
    from accelerate.utils import InitProcessGroupKwargs, parse_choice_from_env, parse_flag_from_env

    # Several processes without a GPU: Accelerate would start each as if it were alone, unless told.
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or (not alone and not torch.accelerator.is_available())
    if precision == "auto":
        bf16 = not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = parse_choice_from_env("ACCELERATE_MIXED_PRECISION", "bf16" if bf16 else "no")
    AcceleratorState._reset_state()  # an earlier training in this process may have had another precision
    patient = InitProcessGroupKwargs(timeout=PATIENCE)
    return Accelerator(mixed_precision=precision, cpu=cpu, kwargs_handlers=[patient])


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


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _to_nobody(text: str) -> None:
    pass
