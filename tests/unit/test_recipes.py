import re
from dataclasses import fields

import pytest

from textseg.errors import TrainingError, UnknownNameError
from trainer import objectives, recipes


def test_a_recipe_is_the_shipped_one_then_the_file_then_single_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "HERE", tmp_path)
    (tmp_path / "pacl.yaml").write_text("lr: 3e-3\nbatch: 64\nobjective: {attn_scale: 10, nouns: true}\n")
    (tmp_path / "mine.yaml").write_text("batch: 32\nobjective: {nouns: false}\n")
    recipe = recipes.load("pacl", tmp_path / "mine.yaml", ["seed=7", "objective.attn_scale=1"])
    assert (recipe.lr, recipe.batch, recipe.seed) == (3e-3, 32, 7)
    assert recipe.objective == {"attn_scale": 1, "nouns": False}


PAPERS = ("pacl", "mgca", "mixreorg", "afss")
FULL_SIZE = {name: "clip:ViT-B-16/openai" for name in PAPERS} | {"afss": "dinov2:base+clip:ViT-B-16/openai"}


@pytest.mark.parametrize("objective", PAPERS)
def test_every_paper_has_a_recipe_at_full_size_and_a_small_one_for_lite(objective):
    full, small = recipes.load(objective, backbone=FULL_SIZE[objective]), recipes.load(objective, backbone="lite")
    assert full.sizes and small.sizes and full != small
    assert recipes.load(objective) == small == recipes.load(objective, backbone="somebody-elses")
    assert full.batch >= small.batch


def test_the_full_size_recipes_hold_what_the_papers_publish():
    pacl = recipes.load("pacl", backbone="clip:ViT-B-16/openai")
    assert (pacl.epochs, pacl.batch, pacl.lr, pacl.weight_decay) == (10, 4096, 5e-4, 0.2)
    assert (pacl.templates, pacl.readout) == ("simple", "clip")
    mixreorg = recipes.load("mixreorg", backbone="clip:ViT-B-16/openai")
    assert (mixreorg.head["groups"], mixreorg.head["width"]) == ([64, 8], 384)
    afss = recipes.load("afss", backbone="dinov2:base+clip:ViT-B-16/openai")
    assert (afss.teacher_backbone, afss.proposer) == ("clip:ViT-B-16/openai", "hf:facebook/sam-vit-base")
    assert len(afss.words) == 171 == afss.max_words


@pytest.mark.parametrize("objective", PAPERS)
def test_each_value_of_a_full_size_recipe_says_where_it_comes_from(objective):
    text = (recipes.HERE / f"{objective}.yaml").read_text("utf-8")
    values = re.findall(r"^ *(\w+): +([^#\n>]+?)(?: +# (.*))?$", text, re.MULTILINE)
    assert len(values) > 8
    for name, _, said in values:
        if name != "licence":
            assert re.search("confirmed|inferred|unknown|ours", said), f"{objective}: {name}"


def test_a_backbone_without_readouts_does_not_hear_of_the_recipes():
    assert recipes.load("pacl", backbone="dinov2:base").readout == ""
    assert recipes.load("pacl", {"readout": "gem"}, backbone="dinov2:base").readout == "gem"  # and is refused later


def test_a_training_from_a_head_goes_on_with_that_heads_readout_and_settings():
    recipe = recipes.load("mgca", backbone="clip:ViT-B-16/openai", head="first.safetensors")
    assert recipe.readout == "" and recipe.head == {}
    assert recipes.load("mgca", None, ["readout=gem"], "clip:ViT-B-16/openai", "first.safetensors").readout == "gem"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("learning_rate=1", "learning_rate"),
        ("lr=fast", "'lr'"),
        ("batch=0", "'batch'"),
        ("warmup=2", "'warmup'"),
        ("precision=int4", "'precision'"),
        ("sizes=[[64]]", "'sizes'"),
        ("objective=3", "'objective'"),
        ("lr", "KEY=VALUE"),
        ("lr=[", "YAML"),
    ],
)
def test_what_is_no_recipe_is_refused_by_name(change, what):
    with pytest.raises(TrainingError, match=what):
        recipes.load("pacl", None, [change])


@pytest.mark.parametrize("objective", ["pacl", "mgca", "mixreorg", "afss", "corrections"])
def test_a_setting_that_a_training_does_not_read_is_refused_by_name(objective):
    read = recipes.read_by(objectives.get(objective))
    for one in fields(recipes.Recipe):
        value = getattr(recipes.Recipe(), one.name)
        change = {one.name: value}
        if one.name in read:
            recipes.load(objective, change)
        else:
            with pytest.raises(TrainingError, match=f"does not read the setting '{one.name}'; it reads .*lr"):
                recipes.load(objective, change)


def test_learning_from_corrections_reads_neither_warmup_nor_weight_decay():
    assert set(recipes.read_by(objectives.get("corrections"))) == recipes.ALWAYS


@pytest.mark.parametrize("objective", ["pacl", "mgca", "mixreorg", "afss", "corrections"])
def test_an_objectives_own_setting_that_it_does_not_have_is_refused_by_name(objective):
    known = recipes.defaults(objectives.get(objective))
    recipes.load(objective, {"objective": known})
    with pytest.raises(TrainingError, match=f"'{objective}' has no setting 'colour'; it has {', '.join(known)}"):
        recipes.load(objective, None, ["objective.colour=red"])
    with pytest.raises(TrainingError, match="no setting 'head'"):  # an argument, and no setting
        recipes.load(objective, None, ["objective.head=red"])


def test_an_objective_that_does_not_exist_is_answered_with_the_names():
    with pytest.raises(UnknownNameError, match="corrections.*pacl"):
        recipes.load("astrology")


def test_a_recipe_that_does_not_exist_is_refused():
    with pytest.raises(TrainingError, match=r"nowhere\.yaml does not exist"):
        recipes.load("pacl", "nowhere.yaml")
