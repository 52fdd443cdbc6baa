"""Learning from corrections: what is learnt from, what stays as it was, and what comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tests.tiny import TinyBackbone
from tests.tiny_learning import BLUE, RED, SETTINGS, draw_halves, make_project, two_halves
from textseg.errors import Cancelled, TrainingError
from textseg.model import Model, heads, load_model, others
from textseg.model.calibration import Calibration, posterior
from textseg.model.heads.corrected import CorrectedHead
from textseg.model.others import Ranked
from textseg.model.partition import Partition
from textseg.project import Region
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary, Word
from trainer import corrections, recipes
from trainer.corrections import learn
from trainer.corrections.corpus import is_held_back, read
from trainer.corrections.encodings import Encodings
from trainer.corrections.fit import Rivals, base_of, new_head, patches, shares
from trainer.corrections.score import helped, score
from trainer.objectives.corrections import Corrections, Patches


@pytest.fixture
def recipe():
    return recipes.load("corrections", None, SETTINGS)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """(facts, file of the head, model before) of one training on eight photos."""
    folder = tmp_path_factory.mktemp("learnt")
    project = make_project(folder / "p")
    model = load_model(TinyBackbone(), "none")
    out = folder / "head.safetensors"
    facts = learn(project, out, model, recipes.load("corrections", None, SETTINGS))
    return facts, out, model


def labels(model, words="red thing, blue thing"):
    return model.encode(two_halves(99)).label(Vocabulary.parse(words)).ids


def test_a_head_learns_what_a_person_drew_and_its_file_answers_like_it(learnt):
    facts, out, before = learnt
    after = Model(before.backbone, heads.load(out, before.backbone), "learnt")
    truth = np.where(np.arange(96) < 48, RED, BLUE)[None].repeat(64, 0)
    assert (labels(after) == truth).mean() > 0.85 > (labels(before) == truth).mean() + 0.1
    assert facts["scores"]["after"]["miou"] > facts["scores"]["before"]["miou"]


def test_words_near_no_class_keep_their_similarity(learnt):
    _, out, before = learnt
    after = Model(before.backbone, heads.load(out, before.backbone), "learnt")
    words, photo = Vocabulary.parse("tree, house"), two_halves(99)
    then, now = (model.encode(photo).similarity(words) for model in (before, after))
    np.testing.assert_allclose(then, now, atol=1e-6)


def test_an_unfitted_head_answers_as_its_base(learnt, tmp_path):
    _, out, before = learnt
    head = heads.load(out, before.backbone)
    with torch.no_grad():
        head.weight.zero_(), head.bias.zero_()
    head.presence = 0.0
    features = torch.randn(1, 24, 8, 12)
    text = before.backbone.embed(["red thing", "tree"])
    then = torch.einsum("behw,ke->bkhw", before.head(features), before.head.text(text))
    assert_close(torch.einsum("behw,ke->bkhw", head(features), head.text(text)), then)


def test_the_next_training_starts_from_the_base_below_all_corrections(learnt):
    _, out, before = learnt
    base, facts = base_of(heads.load(out, before.backbone))
    assert not isinstance(base, CorrectedHead) and facts["type"] == "none"


def test_the_calibration_of_the_base_goes_with_a_corrected_head_from_training_to_training(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=2)
    model = load_model(TinyBackbone(), "none")
    model.head.calibration = Calibration(presence=(1.0, 0.5, 0.25))
    for file in ("first.safetensors", "second.safetensors"):
        learn(project, tmp_path / file, model, recipe)
        model = Model(model.backbone, heads.load(tmp_path / file, model.backbone), file)
        assert model.head.calibration.presence == (1.0, 0.5, 0.25)
        assert model.head.base.calibration == Calibration(presence=(1.0, 0.5, 0.25))


def test_a_corrected_head_tells_presence_and_leaves_pixels_to_other_words(learnt):
    _, out, before = learnt
    after = Model(before.backbone, heads.load(out, before.backbone), "learnt")
    labels = segment(after.encode(two_halves(99)), Vocabulary.parse("red thing, blue thing"), others=["snow", "ski"])
    assert set(labels.presence) == {RED, BLUE} and all(0 <= p <= 1 for p in labels.presence.values())
    assert dict(labels.elsewhere).keys() <= {"snow", "ski"}


def test_the_logit_scale_of_the_base_goes_with_a_corrected_head_from_training_to_training(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=2)
    model = load_model(TinyBackbone(), "none")
    model.head.logit_scale = 55.0
    for name in ("1", "2"):
        learn(project, tmp_path / name, Model(model.backbone, model.head, name), recipe)
        model = load_model(TinyBackbone(), tmp_path / name)
        assert model.logit_scale == model.head.logit_scale == model.head.base.logit_scale == 55.0


def test_only_what_a_person_made_is_learnt_from(tmp_path):
    project = make_project(tmp_path / "p", photos=2, corrected=0)
    photo = project.photos()[0]
    from textseg.project import Region

    project.put_model_labels(photo.id, np.ones((64, 96), np.int32), [Region(RED, 0.9)], "some head")
    assert not project.corrections(photo.id).any()
    project.edit(photo.id, 1, {"type": "brush", "class": BLUE, "radius": 4, "points": [[10, 10]]})
    said = project.corrections(photo.id)
    assert set(np.unique(said)) == {0, BLUE} and (said == BLUE).sum() < 100
    project.edit(photo.id, 2, {"type": "accept", "class": RED})
    assert set(np.unique(project.corrections(photo.id))) == {RED, BLUE}


def test_what_a_person_erased_means_none_of_these_and_a_deleted_class_says_nothing(tmp_path):
    project = make_project(tmp_path / "p", photos=1)
    project.edit(1, 2, {"type": "brush", "class": 0, "radius": 6, "points": [[20, 20]]})
    assert set(np.unique(project.corrections(1))) == {-1, RED, BLUE}
    project.delete_class(BLUE)
    assert set(np.unique(project.corrections(1))) == {-1, 0, RED}


def test_an_undone_gesture_teaches_nothing(tmp_path):
    project = make_project(tmp_path / "p", photos=1)
    for revision in (2, 3):
        project.edit(1, revision, {"type": "undo"})
    assert not project.corrections(1).any()


def test_nothing_to_learn_from_is_said_in_one_sentence(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=2, corrected=0)
    with pytest.raises(TrainingError, match="nothing to learn from in p: label a region"):
        learn(project, tmp_path / "head.safetensors", load_model(TinyBackbone(), "none"), recipe)


def test_one_corrected_photo_suffices_and_is_not_held_back(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=3, corrected=1)
    model = load_model(TinyBackbone(), "none")
    facts = learn(project, tmp_path / "head.safetensors", model, recipe)
    assert facts["data"]["photos"] == 1 and facts["scores"]["after"] is None


def test_photos_held_back_are_never_learnt_from_and_stay_the_same(tmp_path):
    project = make_project(tmp_path / "p")
    encodings = Encodings(project, load_model(TinyBackbone(), "none"))
    corpus = read(project, encodings, 0.3)
    held = {one.stored.name for one in corpus.held_back}
    assert held and not held & {one.stored.name for one in corpus.photos}
    assert held == {row.name for row in project.photos() if is_held_back(row, 0.3)}


def test_a_class_that_is_named_ignore_is_not_looked_at(tmp_path):
    project = make_project(tmp_path / "p")
    ignored = project.add_class(Word("ignore"))
    photo = project.photos()[0]
    project.edit(photo.id, 2, {"type": "brush", "class": ignored, "radius": 20, "points": [[48, 32]]})
    corpus = read(project, Encodings(project, load_model(TinyBackbone(), "none")), 0.0)
    assert [one.name for one in corpus.classes] == ["red thing", "blue thing"]
    assert (corpus.photos[0].said == 0).sum() > 1000


def test_a_class_without_corrections_is_kept_as_it_was(tmp_path, recipe):
    project = make_project(tmp_path / "p")
    project.add_class(Word("green thing"))
    out, model = tmp_path / "head.safetensors", load_model(TinyBackbone(), "none")
    facts = learn(project, out, model, recipe)
    assert facts["classes"] == [["red thing"], ["blue thing"]]
    after = Model(model.backbone, heads.load(out, model.backbone), "learnt")
    words = Vocabulary.parse("green thing")
    then, now = (one.encode(two_halves(5)).similarity(words) for one in (model, after))
    np.testing.assert_allclose(then, now, atol=1e-6)


def test_a_photo_whose_file_is_gone_is_left_out_and_named(tmp_path, recipe):
    project = make_project(tmp_path / "p")
    lost = next(row for row in project.photos() if not is_held_back(row, 0.3))
    (project.folder / "photos" / f"{lost.sha256}{lost.suffix}").unlink()
    told: list[str] = []
    facts = learn(project, tmp_path / "h.safetensors", load_model(TinyBackbone(), "none"), recipe, told.append)
    assert list(facts["data"]["skipped"]) == [lost.name] and told[0].startswith(f"{lost.name} is left out")


def test_photos_are_encoded_once_for_all_trainings(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=4)
    model = load_model(TinyBackbone(), "none")
    learn(project, tmp_path / "1.safetensors", model, recipe)
    encoded = model.backbone.encoded
    draw_halves(project, 1)
    learn(project, tmp_path / "2.safetensors", model, recipe)
    assert model.backbone.encoded == encoded == 4


def test_a_cancelled_training_writes_nothing(tmp_path, recipe):
    project = make_project(tmp_path / "p", photos=2)
    seen: list[float] = []
    with pytest.raises(Cancelled):
        learn(
            project,
            tmp_path / "head.safetensors",
            load_model(TinyBackbone(), "none"),
            recipe,
            watch=lambda progress: seen.append(progress.step),
            cancel=lambda: 5 in seen,
        )
    assert max(seen) == 5 and not (tmp_path / "head.safetensors").exists()


def test_shares_count_every_pixel_of_a_cell():
    said = np.zeros((4, 6), np.int32)
    said[:2, :3], said[3, 5] = 1, -1
    assert shares(said, (2, 2), [1, -1]).tolist() == [[1, 0], [0, 0], [0, 0], [0, 1 / 6]]


def test_a_perfect_answer_scores_100_and_unlabelled_pixels_do_not_count(tmp_path, monkeypatch):
    project = make_project(tmp_path / "p", photos=1)
    project.edit(1, 2, {"type": "brush", "class": 0, "radius": 4, "points": [[48, 32]]})
    model = load_model(TinyBackbone(), "none")
    corpus = read(project, Encodings(project, model), 0.0)
    photo = corpus.photos[0]

    grid = torch.zeros(2, 64, 96)
    grid[0, :, :48] = grid[1, :, 48:] = 1
    monkeypatch.setattr(corrections.score, "similarities", lambda *_: grid)
    photo.regions = Partition(np.arange(96)[None].repeat(64, 0))
    result = score(model, [photo], corpus.classes)
    assert result is not None and result["miou"] == 100


def test_figures_vary_from_photo_to_photo_and_not_from_tile_to_tile(tmp_path, monkeypatch):
    project = make_project(tmp_path / "p", photos=2)
    model = load_model(TinyBackbone(), "none")
    corpus = read(project, Encodings(project, model), 0.0)
    first = torch.stack([torch.ones(64, 96), torch.zeros(64, 96)])
    monkeypatch.setattr(corrections.score, "similarities", lambda *_: first)
    told = [np.full((64, 96), one.id, np.int32) for one in corpus.classes]  # the first is right, the second wrong
    tiles = [replace(photo, said=said) for said in told for photo in corpus.photos]
    both, one = score(model, tiles, corpus.classes), score(model, tiles[::2], corpus.classes)
    assert both["spread"] == 0 and both["miou"] == 25 and both["photos"] == 2
    assert "varies by 0.0" in helped({"before": both, "after": both, "photos": "left out"})
    assert "varies" not in helped({"before": one, "after": one, "photos": "left out"})


def test_the_objective_weights_rare_classes_up_and_ignores_other_kinds(tmp_path):
    project = make_project(tmp_path / "p", photos=1)
    model = load_model(TinyBackbone(), "none")
    head = new_head(model, read(project, Encodings(project, model), 0.0), 0.0)
    objective = Corrections(head, model.backbone, balance=1.0)
    shares_ = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1], [0.5, 0.5]])
    weights = objective._weighted(shares_ * torch.tensor([1.0, 1, 1, 1, 0])[:, None])
    assert_close(weights.sum(0), torch.tensor([0.5, 0.5]))
    assert_close(weights[4], torch.zeros(2))
    flat = torch.zeros(3, 2)
    data = Patches(torch.zeros(3, 16), flat, flat, flat, flat.long(), torch.eye(3, 2), torch.tensor([0, 1, 2]))
    with torch.no_grad():
        terms = objective(data)
    assert terms["keep"] == pytest.approx(0, abs=1e-6) and terms["none"] > 0 and terms["words"] > 0


def test_the_loss_says_of_a_patch_what_the_head_answers_there(tmp_path):
    project = make_project(tmp_path / "p", photos=1)
    model = load_model(TinyBackbone(), "none")
    corpus = read(project, Encodings(project, model), 0.0)
    head = new_head(model, corpus, 0.0)
    with torch.no_grad():
        head.weight.normal_(0, 0.1), head.bias.normal_(), head.offset.fill_(-1)
    objective = Corrections(head, model.backbone)
    (data,) = patches(head, corpus, Rivals.of(head, model, corpus))
    free = replace(data, gate=torch.zeros_like(data.gate), kind=torch.full_like(data.kind, Patches.NONE))
    loss = objective(free)["none"]

    after, words = Model(model.backbone, head, "learnt"), Vocabulary.parse("red thing, blue thing")
    scene, rest = after.encode(two_halves(0)), others.of(after)
    regions = corpus.photos[0].regions
    best = Ranked.of(regions.pool(rest.scores(scene.embedding))).strongest(rest.rivals(model, words))[0]
    rows = torch.cat([regions.pool(scene.scores(words)), best[None]]) * after.logit_scale
    told = posterior(head.calibration, rows, torch.ones(2))[-1].log()
    cells = told[regions.spread(np.arange(regions.count), scene.grid).ravel()]
    assert_close(loss, -cells.mean(), atol=2e-3, rtol=0)  # features and the other words are kept in half precision


def test_a_noun_that_nobody_typed_learns_to_leave_a_class_alone(learnt):
    _, out, before = learnt
    after, words = load_model(before.backbone, out), Vocabulary.parse("red thing, blue thing")
    took = dict(segment(before.encode(two_halves(99)), words).elsewhere)
    learnt_by = dict(zip(after.head.config["nouns"], after.head.offset.tolist(), strict=True))
    assert took and learnt_by[max(took, key=took.get)] < -0.05

    names = after.head.config["nouns"]
    embedded = before.backbone.embed(names)
    assert_close(after.head.text(embedded)[:, -1], torch.zeros(len(names)))  # typed, the noun is what it was
    assert_close(after.head.rivals(names, embedded)[:, -1] * after.logit_scale, after.head.offset)


def test_what_a_done_photo_does_not_show_is_none_of_these_unless_people_leave_things_out(tmp_path):
    project = make_project(tmp_path / "p", photos=2, corrected=0)
    for photo in project.photos():
        project.edit(photo.id, 0, {"type": "brush", "class": RED, "radius": 4, "points": [[20, 20]]})
    project.set_state(project.photos()[0].id, "done")
    encodings = Encodings(project, load_model(TinyBackbone(), "none"))
    done, other = read(project, encodings, 0.0, complete=True).photos
    assert set(np.unique(done.said)) == {-1, RED} and set(np.unique(other.said)) == {0, RED}
    assert all(0 in photo.said for photo in read(project, encodings, 0.0, complete=False).photos)


def test_what_a_model_labelled_in_a_done_photo_is_not_taken_for_none_of_these(tmp_path):
    project = make_project(tmp_path / "p", photos=1, corrected=0)
    photo = project.photos()[0]
    index = np.zeros((photo.height, photo.width), np.uint16)
    index[:, :48] = 1
    project.put_model_labels(photo.id, index, [Region(BLUE, 0.9)], "tiny")
    project.edit(photo.id, 1, {"type": "brush", "class": RED, "radius": 4, "points": [[20, 20]]})
    project.set_state(photo.id, "done")
    said = read(project, Encodings(project, load_model(TinyBackbone(), "none")), 0.0).photos[0].said
    assert set(np.unique(said[:, :48])) == {0, RED} and np.unique(said[:, 48:]).tolist() == [-1]


def test_a_head_from_before_nouns_learnt_still_answers(tmp_path):
    backbone = TinyBackbone()
    base = {"type": "none", "config": {}}
    old = {"base": base, "owner": [0], "others": 3, "presence": 0.03, "best": 0.05, "near": 0.8}
    head = CorrectedHead.build(backbone, **old)
    heads.save(head, tmp_path / "old", backbone, config=old)
    again = load_model(TinyBackbone(), tmp_path / "old")
    assert again.encode(two_halves(0)).label(Vocabulary.parse("red thing")).ids.any()


def test_a_corrected_head_from_before_nouns_learnt_answers_as_its_weights_say(tmp_path):
    model = load_model(TinyBackbone(), "none")
    base, facts = base_of(model.head)
    head = CorrectedHead(base, facts, 10.0, model.backbone.text_dim, [0], 2)
    torch.nn.init.normal_(head.weight)
    old = {key: value for key, value in head.config.items() if key != "nouns"}
    heads.save(head, tmp_path / "old.safetensors", model.backbone, config=old)
    read_again, names = heads.load(tmp_path / "old.safetensors", model.backbone), ["tree", "house"]
    features = model.encode(two_halves(0)).features[None].float()
    assert_close(read_again(features), head(features))
    embedded = model.backbone.embed(names)
    assert_close(read_again.rivals(names, embedded), read_again.text(embedded))


def test_a_project_that_no_noun_competes_with_learns_too(tmp_path, recipe, monkeypatch):
    project = make_project(tmp_path / "p", photos=2)
    project.set_state(project.photos()[0].id, "done")
    monkeypatch.setattr(others.Others, "rivals", lambda self, *_: torch.zeros(len(self), dtype=torch.bool))
    facts = learn(project, tmp_path / "head", load_model(TinyBackbone(), "none"), recipe)
    assert np.isfinite(facts["scores"]["loss"])
    assert labels(load_model(TinyBackbone(), tmp_path / "head")).any()
