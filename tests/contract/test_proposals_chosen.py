"""`--proposals NAME`: what masks are made of, in commands, on the pages and where pseudo-labels are prepared."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import textseg
import textseg.model
from tests import tiny_sam
from tests.tiny import GivenMasks, Halves, noise_photo, tiny_model
from textseg.cli import main
from textseg.labelmap import read_index_png
from textseg.model import load_model
from textseg.project import Project
from textseg.proposals import Mask
from textseg.vocabulary import Vocabulary
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.nouns import Nouns
from textseg.web.pages.explore import Explore
from textseg.web.pages.label import Label
from trainer import data
from trainer.labelling import label_keys, pseudo_labels
from trainer.masks import MaskStore
from trainer.store import ArrayStore

WORDS = ["--words", "cat, sofa, wall", "--others", "none"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: tiny_model())
    monkeypatch.chdir(tmp_path)
    noise_photo(60, 40).save("one.png")
    return tmp_path


def test_segment_shows_one_word_in_each_mask_of_the_proposer(folder: Path) -> None:
    assert main(["segment", "one.png", *WORDS, "--by", "proposal", "--proposals", "halves", "--out", "out"]) == 0
    ids = read_index_png(folder / "out/one.png")
    assert len(np.unique(ids[:, :30])) == 1
    assert json.loads((folder / "out/one.json").read_text())["proposals"] == "halves"


def test_a_proposer_alone_asks_for_labels_by_its_masks(folder: Path) -> None:
    for out, asked in (("one", ["--by", "proposal", "--proposals", "halves"]), ("two", ["--proposals", "halves"])):
        assert main(["segment", "one.png", *WORDS, *asked, "--out", out]) == 0
    assert (folder / "one/one.png").read_bytes() == (folder / "two/one.png").read_bytes()


def test_a_refinement_by_masks_uses_the_proposer(folder: Path) -> None:
    asked = ["--refine", "mask_vote", "--proposals", "halves"]
    assert main(["segment", "one.png", *WORDS, *asked, "--out", "out"]) == 0
    assert len(np.unique(read_index_png(folder / "out/one.png")[:, :30])) == 1


def test_a_proposer_that_would_not_be_asked_is_refused(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["segment", "one.png", *WORDS, "--by", "unit", "--proposals", "halves", "--out", "out"]) == 2
    assert "Labels by unit need no --proposals" in capsys.readouterr().err
    assert main(["segment", "one.png", *WORDS, "--proposals", "magic", "--out", "out"]) == 2
    assert "no proposer called 'magic'" in capsys.readouterr().err


def test_label_names_the_masks_of_the_proposer(folder: Path, capsys: pytest.CaptureFixture) -> None:
    asked = ["label", "one.png", *WORDS, "--confidence", "0", "--margin", "0", "--out", "out"]
    assert main([*asked, "--proposals", "halves"]) == 0
    ids = read_index_png(folder / "out/one.png")
    assert len(np.unique(ids[:, :30])) == 1 and ids[0, 0] and not ids[:, 30:].any()
    assert main([*asked, "--resume", "--proposals", "halves"]) == 0
    capsys.readouterr()
    assert main([*asked, "--resume"]) == 2
    assert "labels made with other masks (one.json: --proposals halves)" in capsys.readouterr().err


def test_label_into_a_project_takes_the_masks_of_the_proposer(folder: Path) -> None:
    asked = ["--confidence", "0", "--margin", "0", "--project", "p", "--proposals", "halves"]
    assert main(["label", "one.png", *WORDS, *asked]) == 0
    ids, _ = Project(folder / "p").label_map(1)
    assert ids[0, 0] and not ids[:, 30:].any()


def served(project: Project, proposals: str) -> Label:
    engine = Engine(proposals=proposals)
    engine._model = tiny_model()
    engine._settled.set()
    return Label(ProjectApi(project, engine), engine)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    noise_photo(60, 40).save(tmp_path / "one.png")
    project = Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa"))
    project.add([tmp_path / "one.png"])
    return project


def test_clicks_and_pseudo_labels_of_the_page_use_the_served_proposer(project: Project) -> None:
    label = served(project, "halves")
    assert label.prompt({"photo": 1, "points": [[5, 5, 1]]})["masks"][0]["box"] == [0, 0, 30, 40]
    assert label.hierarchy({"photo": 1, "x": 5, "y": 5})["masks"][0]["area"] == 30 * 40
    assert label._engine.status()["proposals"] == "halves"


def test_a_proposer_that_cannot_be_had_leaves_regions_and_a_notice(project: Project) -> None:
    label = served(project, "hf:/nowhere/at/all")
    assert label.hierarchy({"photo": 1, "x": 5, "y": 5})["masks"]
    told = label._engine.status()
    assert told["proposals"] == "regions" and "names neither a folder" in told["notice"]
    assert told["notice"].endswith("Masks are those of 'regions' meanwhile.") and told["state"] == "ready"


def test_a_click_does_not_encode_again_neither_now_nor_after_a_restart(project: Project, tmp_path: Path) -> None:
    tiny_sam.save("sam2", tmp_path / "sam2")
    clicked = {"photo": 1, "points": [[5, 5, 1]]}
    answers, encoded = [], []
    for _ in range(2):
        label = served(project, f"hf:{tmp_path / 'sam2'}")
        model = label._engine.proposer().model
        model.vision_encoder.register_forward_hook(lambda *_: encoded.append(1))
        label.prepare({"photos": [1]})
        assert len(encoded) == 1
        answers += [label.prompt(clicked), label.prompt(clicked)]
    assert len(encoded) == 1 and all(answer == answers[0] for answer in answers)


def test_sam_3_is_asked_by_words_in_segment(folder: Path) -> None:
    tiny_sam.save("sam3", folder / "sam3")
    name = f"hf:{folder / 'sam3'}"
    assert main(["segment", "one.png", "--words", "cat, sofa", "--proposals", name, "--out", "out"]) == 0
    named = textseg.load_proposer(name).open(noise_photo(60, 40)).named(Vocabulary.parse("cat, sofa"))
    told = json.loads((folder / "out/one.json").read_text())["classes"]
    assert [one["presence"] for one in told] == pytest.approx([one.presence for one in named], abs=1e-5)


def test_sam_3_is_asked_by_words_on_the_page(project: Project, tmp_path: Path) -> None:
    tiny_sam.save("sam3_video", tmp_path / "sam3")
    label = served(project, f"hf:{tmp_path / 'sam3'}")
    proposer, photo, texts = label._engine.proposer(), [], []
    proposer.detector.model.vision_encoder.backbone.register_forward_hook(lambda *_: photo.append(1))
    proposer.detector.model.text_encoder.register_forward_hook(lambda *_: texts.append(1))
    label.prepare({"photos": [1]})
    words = label.model_view({"photo": 1})["words"]
    presence = [one.presence for one in label.api.proposals(project.photo(1)).named(project.vocabulary()[0])]
    assert [word["presence"] for word in words] == pytest.approx(presence)
    assert label.prompt({"photo": 1, "points": [[5, 5, 1]]})["masks"]
    label.pseudolabel({"photo": 1})
    assert (len(photo), len(texts)) == (1, 2)
    explore = Explore(label._engine, Nouns(), label.api)
    assert explore.heads({})["by"] == "proposal"
    assert Explore(served(project, "regions")._engine, Nouns(), label.api).heads({})["by"] is None


def test_masks_of_a_photo_are_found_once_for_all_words_and_thresholds(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        noise_photo(48, 32, seed).save(tmp_path / f"photos/{seed}.png")
    photos, proposer, model = data.read([tmp_path / "photos"]).photos, Halves(), tiny_model()
    before, labels = Halves.looked_at_by_all, []
    for words, confidence in (("cat, dog", 0.0), ("sky, tree, road", 0.0), ("sky, tree, road", 0.9)):
        store = ArrayStore(tmp_path / f"{words}{confidence}")
        masks = MaskStore.of(tmp_path, proposer, model)
        vocabulary = Vocabulary.parse(words)
        pseudo_labels(
            photos, model, vocabulary, proposer, [(4, 6)], store, confidence=confidence, margin=0.0, masks=masks
        )
        labels.append(store[label_keys(photos[0], (4, 6))[0]])
    assert Halves.looked_at_by_all == before + 2
    assert (labels[0][:, :3] >= 0).all() and (labels[0][:, 3:] == -1).all()
    assert torch.equal(labels[1][:, :3] >= 0, torch.ones(4, 3, dtype=torch.bool))


def test_given_proposals_answer_in_python() -> None:
    scene = load_model("tiny", "none").encode(noise_photo(60, 40))
    top = np.zeros((40, 60), bool)
    top[:20] = True
    given = GivenMasks([Mask.from_array(top, 1.0)])
    labels = textseg.segment(scene, Vocabulary.parse("cat, sofa, wall"), by="proposal", others=None, proposals=given)
    assert len(np.unique(labels.ids[:20])) == 1
    for others in ("default", None):
        textseg.segment(scene, Vocabulary.parse("bird"), by="proposal", others=others, proposals=given)
    assert given.asked == 1
