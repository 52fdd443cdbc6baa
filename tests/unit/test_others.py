"""Other words: which compete, what they win, and that a closed vocabulary is what it was."""

import numpy as np
import pytest
import torch

from tests.tiny import noise_photo, tiny_model
from textseg.errors import VocabularyError
from textseg.model import Model, Scene, others
from textseg.model.calibration import Calibration, lead, posterior, presence
from textseg.model.others import Ranked
from textseg.pseudolabel import label_regions
from textseg.segmentation import BY, segment
from textseg.vocabulary import Vocabulary

OWN = ["snow", "street", "chair", "poodle", "lamp"]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def shipped(lite: Model) -> others.Others:
    found = others.of(lite)
    assert found is not None
    return found


def competing(lite: Model, words: str) -> set[str]:
    rest = others.of(lite)
    assert rest is not None
    rivals = rest.rivals(lite, Vocabulary.parse(words))
    return {name for name, rival in zip(rest.names, rivals.tolist(), strict=True) if rival}


def test_a_kind_of_an_asked_word_does_not_compete(lite: Model) -> None:
    assert not {"dog", "cat", "horse", "bird", "animal"} & competing(lite, "animal")
    assert not {"dog", "puppy", "greyhound"} & competing(lite, "dog")


def test_what_an_asked_word_is_a_kind_of_does_not_compete(lite: Model) -> None:
    assert "dog" not in competing(lite, "puppy")


def test_other_kinds_and_stuff_compete(lite: Model) -> None:
    assert {"cat", "snow", "sky", "grass", "tree", "road"} <= competing(lite, "dog")


def test_an_alias_keeps_its_nouns_out_too(lite: Model) -> None:
    assert "snow" in competing(lite, "dog") and "snow" not in competing(lite, "dog; snow")


def test_parts_of_a_person_and_clothes_do_not_compete_with_a_person(lite: Model) -> None:
    assert not {"hair", "shirt", "hand", "jacket"} & competing(lite, "person")


def test_embedded_nouns_of_the_default_backbone_travel_with_the_program(lite: Model, shipped: others.Others) -> None:
    some = list(range(0, len(shipped), 200))
    fresh = lite.text([shipped.names[i] for i in some])
    kept = shipped.vectors[some] @ torch.nn.functional.normalize(fresh - shipped.centre, dim=1).T
    assert kept.diagonal().min() > 0.999


def test_nouns_of_another_backbone_are_embedded_once_and_kept(tmp_path, monkeypatch) -> None:
    first = others.of(tiny_model())
    again = tiny_model()
    monkeypatch.setattr(again.backbone, "embed", lambda _: pytest.fail("embedded again"))
    second = others.of(again)
    assert first is not None and second is not None and torch.equal(first.mapped, second.mapped)
    for file in tmp_path.rglob("*.safetensors"):
        file.write_bytes(b"torn")
    assert others.of(tiny_model()) is not None


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("refine", [None, "none"])
def test_pixels_go_to_the_words_or_to_what_else_they_are(by: str, refine: str | None) -> None:
    scene = tiny_model().encode(noise_photo())
    labels = segment(scene, Vocabulary.parse("cat, sofa, wall"), by=by, refine=refine, others=OWN)
    areas = labels.areas()
    assert set(np.unique(labels.ids)) <= {0, 1, 2, 3}
    assert sum(share for _, share in labels.elsewhere) == pytest.approx(areas[0], abs=0.08)
    assert {name for name, _ in labels.elsewhere} <= set(OWN)
    assert set(labels.presence) == {1, 2, 3} and all(0 <= p <= 1 for p in labels.presence.values())


@pytest.mark.parametrize("refine", ["guided", "pamr", "mask_vote", "units"])
def test_every_refinement_knows_other_words(refine: str) -> None:
    scene = tiny_model().encode(noise_photo())
    labels = segment(scene, Vocabulary.parse("cat, sofa"), refine=refine, others=OWN)
    assert labels.ids.max() <= 2 and labels.elsewhere


def test_other_words_take_nothing_from_a_closed_vocabulary() -> None:
    scene = tiny_model().encode(noise_photo())
    words = Vocabulary.parse("cat, sofa, wall")
    before = segment(scene, words, others=None)
    segment(scene, words, others=OWN)
    after = segment(scene, words, others=None)
    assert (
        (before.ids > 0).all() and np.array_equal(before.ids, after.ids) and np.array_equal(before.score, after.score)
    )
    assert before.presence == {} and before.classes()[0]["presence"] is None


def test_an_empty_list_of_other_words_is_the_closed_vocabulary() -> None:
    scene = tiny_model().encode(noise_photo())
    words = Vocabulary.parse("cat, sofa")
    assert np.array_equal(segment(scene, words, others=[]).ids, segment(scene, words, others=None).ids)


def test_too_many_other_words_are_refused_in_one_sentence() -> None:
    with pytest.raises(VocabularyError, match="at most"):
        others.of(tiny_model(), [f"word {k}" for k in range(5000)])
    with pytest.raises(VocabularyError, match="not 'some'"):
        others.of(tiny_model(), "some")


def test_a_vocabulary_that_is_the_list_itself_is_answered(lite: Model) -> None:
    scene = lite.encode(noise_photo(64, 48))
    everything = Vocabulary.from_names(others.shipped_nouns()[:600])
    labels = segment(scene, everything)
    assert labels.ids.any() and len(labels.presence) == 600


@pytest.mark.parametrize("words", ["xqzzt", "thing", "animal, dog, puppy", "Wolkenkratzer", "cat; kitten, -sky"])
def test_odd_words_are_answered(lite: Model, words: str) -> None:
    labels = segment(lite.encode(noise_photo(64, 48)), Vocabulary.parse(words))
    assert labels.size == (64, 48) and len(labels.presence) == len(labels.vocabulary)


def test_a_scene_ranks_its_nouns_once(monkeypatch) -> None:
    scene = tiny_model().encode(noise_photo())
    for words in ("cat", "sofa"):  # of a scene that is asked once only they need no ranking
        segment(scene, Vocabulary.parse(words), others=OWN)
    monkeypatch.setattr(
        Ranked, "of", lambda scores: pytest.fail("ranked again") if scores.shape[1] > 1 else real(scores)
    )
    assert segment(scene, Vocabulary.parse("dog, wall"), others=OWN).presence


real = Ranked.of


def test_ranking_gives_the_best_noun_that_competes() -> None:
    scores = torch.randn(200, 30)
    rivals = torch.arange(200) % 3 > 0
    value, noun = Ranked.of(scores).strongest(rivals)
    masked = scores.masked_fill(~rivals[:, None], -torch.inf)
    assert torch.equal(value, masked.amax(0)) and torch.equal(noun, masked.argmax(0))


@pytest.mark.parametrize("competing", [1, 3, 120])
def test_a_scenes_first_question_finds_the_noun_that_later_ones_find(competing: int) -> None:
    model = tiny_model()
    scene = model.encode(noise_photo())
    rest = others.of(model, [f"noun{k}" for k in range(120)])
    assert rest is not None
    rivals = torch.arange(120) % (120 // competing) == 0
    first, second = rest.strongest(scene, rivals), rest.strongest(scene, rivals)
    assert torch.equal(first, second) and torch.equal(second, rest.ranked(scene).strongest(rivals)[0])


def test_without_a_noun_that_competes_none_wins() -> None:
    value, _ = Ranked.of(torch.randn(5, 4)).strongest(torch.zeros(5, dtype=torch.bool))
    assert (value == -torch.inf).all()
    probability = posterior(Calibration(), torch.cat([torch.zeros(1, 4), value[None]]), torch.ones(1))
    assert torch.equal(probability, torch.tensor([[1.0] * 4, [0.0] * 4]))


def test_a_words_lead_is_over_the_best_of_all_others_where_it_is_largest() -> None:
    logits = torch.tensor([[9.0, 1.0, 1.0], [5.0, 4.0, 0.0], [2.0, 2.0, 2.0]])[:, None]
    assert lead(logits).tolist() == [4.0, 2.0]


def test_an_absent_word_loses_pixels_that_it_would_win() -> None:
    logits, calibration = torch.tensor([[3.0], [2.0], [0.0]]), Calibration(bias=0.0, temperature=1.0, gate=1.0)
    assert posterior(calibration, logits, torch.tensor([1.0, 1.0])).argmax(0) == 0
    assert posterior(calibration, logits, torch.tensor([0.05, 1.0])).argmax(0) == 1


def test_presence_grows_with_the_lead() -> None:
    rows = [torch.tensor([x, 0.0])[:, None, None] for x in (-20.0, 0.0, 20.0)]
    found = [float(presence(Calibration(), row, row)[0]) for row in rows]
    assert found == sorted(found) and found[0] < 0.1 and found[2] > 0.9


def test_nearest_other_words_at_a_pixel_are_named() -> None:
    model = tiny_model()
    scene, rest = model.encode(noise_photo()), others.of(model, OWN)
    assert rest is not None
    near = rest.near(scene, 95, 63, Vocabulary.parse("cat, snow"), n=2)
    assert len(near) == 2 and near[0][1] >= near[1][1] and "snow" not in dict(near)


def test_a_region_that_is_something_else_gets_no_label(lite: Model, sample) -> None:
    scene: Scene = lite.encode(sample("chelsea"))
    found = label_regions(scene, Vocabulary.parse("zebra"))
    assert set(found.presence) == {1}
    assert all(region.word in (0, 1) for region in found.regions)
    assert (found.paint(confidence=0, margin=0).ids == 0).mean() > 0.5
