"""`textseg models`: everything that can be chosen by name, with its facts; nothing is loaded to tell them."""

import json

import pytest

from textseg import catalogue, proposals, refine
from textseg.cli import main
from textseg.model import backbones, readouts, towers
from textseg.registry import Facts


@pytest.fixture(scope="module")
def models():
    return [entry.to_dict() for entry in catalogue.entries()]


def test_every_name_of_every_kind_is_listed(models):
    listed = [(entry["kind"], entry["name"]) for entry in models]
    kinds = {"backbone": backbones, "tower": towers, "readout": readouts, "proposer": proposals, "refinement": refine}
    assert listed == [(kind, name) for kind, package in kinds.items() for name in package.names()]


def test_every_entry_of_the_house_says_what_it_is(models):
    for entry in models:
        assert entry["title"] and entry["about"].endswith("."), entry["name"]
    for entry in models:
        if entry["kind"] in ("backbone", "tower"):
            assert entry["licence"] and entry["size"], entry["name"]


def test_every_family_of_towers_says_which_readouts_it_has(models):
    by_name = {entry["name"]: entry["readouts"] for entry in models if entry["kind"] == "tower"}
    assert by_name["vit"][0] == readouts.DEFAULT and set(by_name["vit"]) == set(readouts.names())
    assert by_name["siglip"][0] == "maskclip" and "sc_clip" not in by_name["siglip"]
    assert by_name["convnext"] == ["clip"]
    assert all(entry["readouts"] == [] for entry in models if entry["kind"] != "tower")


def test_there_is_one_default_of_each_kind_and_it_loads(models):
    defaults = [entry for entry in models if entry["default"]]
    assert [entry["kind"] for entry in defaults] == ["backbone", "tower", "readout", "proposer", "refinement"]
    assert all(entry["loads"] for entry in defaults if entry["kind"] != "tower")  # no tower is installed with it


def test_weights_that_are_not_here_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repository, file: None)
    absent = catalogue.missing(Facts(weights=("someone/something", ("model.safetensors",))))
    assert absent == "The weights of someone/something are not on this machine; the first use fetches them."
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repository, file: str(tmp_path / file))
    assert catalogue.missing(Facts(weights=("someone/something", ("model.safetensors",)))) is None


def test_a_package_that_is_not_installed_is_named():
    assert catalogue.missing(Facts(packages=("json", "no_such_package"))) == "Python cannot import no_such_package."


def test_json_goes_to_standard_output_alone(capsys, models):
    assert main(["models", "--json"]) == 0
    out, error = capsys.readouterr()
    assert json.loads(out) == models and error == ""


def test_the_text_has_every_example_that_can_be_typed(capsys, models):
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {entry['example']} " in text for entry in models)


def test_nothing_is_loaded(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("weights were asked for")

    monkeypatch.setattr(backbones, "load", refuse)
    monkeypatch.setattr(proposals, "load_proposer", refuse)
    assert catalogue.entries()
