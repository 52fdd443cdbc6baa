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


@pytest.mark.parametrize("objective", ["pacl", "mgca", "mixreorg", "afss"])
def test_every_paper_has_a_recipe(objective):
    assert (recipes.HERE / f"{objective}.yaml").is_file()
    assert recipes.load(objective).sizes


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
