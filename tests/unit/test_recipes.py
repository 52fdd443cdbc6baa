import pytest

from textseg.errors import TrainingError
from trainer import recipes


def test_a_recipe_is_the_shipped_one_then_the_file_then_single_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "HERE", tmp_path)
    (tmp_path / "made-up.yaml").write_text("lr: 3e-3\nbatch: 64\nobjective: {attn_scale: 10, nouns: true}\n")
    (tmp_path / "mine.yaml").write_text("batch: 32\nobjective: {nouns: false}\n")
    recipe = recipes.load("made-up", tmp_path / "mine.yaml", ["seed=7", "objective.attn_scale=1"])
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
        recipes.load("none of these", None, [change])


def test_a_recipe_that_does_not_exist_is_refused():
    with pytest.raises(TrainingError, match=r"nowhere\.yaml does not exist"):
        recipes.load("pacl", "nowhere.yaml")
