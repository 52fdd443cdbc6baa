"""What to label next: each rule's order, its reasons, and the region to click."""

import numpy as np
import pytest
import torch

from textseg.errors import UnknownNameError
from textseg.model.partition import Partition
from textseg.vocabulary import Vocabulary
from trainer import suggest
from trainer.suggest import View, next_region

WORDS = Vocabulary.parse("cat, dog, boat")


def view(key, angle=0.0, presence=(0, 0, 0), **facts):
    embedding = torch.tensor([np.cos(angle), np.sin(angle)], dtype=torch.float32)
    return View(key, embedding, np.array(presence, float), **facts)


def keys(rule, pool, known=(), seed=0):
    return [one.key for one in suggest.get(rule)(pool, known, WORDS, seed)]


def test_every_rule_orders_all_photos_once_and_gives_a_reason():
    pool = [view(i, i, (i / 4, 0.5, 0)) for i in range(5)]
    for rule in suggest.names():
        found = suggest.get(rule)(pool, [view(9)], WORDS, 0)
        assert sorted(one.key for one in found) == [0, 1, 2, 3, 4] and all(one.reason for one in found)
        assert suggest.get(rule)([], [], WORDS, 0) == []


def test_the_least_margin_comes_first_with_the_two_words_that_are_close():
    pool = [view("sure", margin=0.9), view("torn", margin=0.1, rivals=(0, 1))]
    first = suggest.get("margin")(pool, [], WORDS, 0)[0]
    assert first.key == "torn" and first.reason.startswith("cat or dog?")


def test_the_greatest_entropy_and_disagreement_come_first():
    assert keys("entropy", [view(0, entropy=0.2), view(1, entropy=0.7)]) == [1, 0]
    assert keys("disagreement", [view(0, disagreement=0.1), view(1, disagreement=0.4)]) == [1, 0]


def test_diversity_takes_what_is_least_like_the_corrected_and_then_like_the_chosen():
    pool = [view("near", 0.1), view("far", 1.5), view("beside far", 1.4), view("between", 0.75)]
    assert keys("diversity", pool, [view("known", 0.0)]) == ["far", "between", "near", "beside far"]


def test_rarity_goes_for_words_that_no_corrected_photo_has_and_counts_what_it_chose():
    known = [view(i, presence=(1, 0, 0)) for i in range(3)]
    pool = [view("cat", presence=(1, 0, 0)), view("boat", presence=(0, 0, 0.8)), view("dog", presence=(0, 0.9, 0)),
            view("boats", presence=(0, 0, 0.7))]  # fmt: skip
    found = suggest.get("rarity")(pool, known, WORDS, 0)
    assert [one.key for one in found] == ["dog", "boat", "boats", "cat"]
    assert found[0].reason == "may show dog, in no corrected photos so far"


def test_random_depends_on_the_seed_alone():
    pool = [view(i) for i in range(20)]
    assert keys("random", pool, seed=1) == keys("random", pool, seed=1) != keys("random", pool, seed=2)


def test_an_unknown_rule_is_answered_with_the_names():
    with pytest.raises(UnknownNameError, match="choose one of .*diversity.*margin.*random.*rarity"):
        suggest.get("astrology")


def test_a_view_says_which_words_are_there_and_which_are_close():
    scores = torch.full((3, 4, 4), -1.0)
    scores[0, :, :2], scores[1, :, 2:], scores[2, :, 2:] = 1.0, 0.51, 0.5
    seen = suggest.view("a", torch.randn(5, 4, 4), scores, 20.0)
    assert seen.presence[0] > 0.9 and seen.rivals == (1, 2) and 0 < seen.margin < 1
    assert suggest.view("a", torch.randn(5, 4, 4), scores, 20.0, -scores).disagreement == 1


def test_one_word_alone_is_no_reason_to_fail():
    seen = suggest.view("a", torch.randn(5, 4, 4), torch.zeros(1, 4, 4), 20.0)
    assert seen.rivals == (0, 0) and seen.margin == 1


def test_the_region_to_click_is_the_least_sure_one_that_nobody_has_labelled():
    ids = np.arange(4)[None].repeat(2, 0).repeat(4, 1).repeat(4, 0)
    scores = torch.zeros(2, 8, 16)
    scores[0, :, :4], scores[0, :, 4:8], scores[0, :, 12:] = 1.0, 0.02, 0.3
    free = np.ones((8, 16), bool)
    region, _, reason = next_region(scores, Partition(ids), free, 10.0)
    assert region == 2 and "25 % of the photo" in reason
    free[:, 8:12] = False
    assert next_region(scores, Partition(ids), free, 10.0)[0] == 1
    assert next_region(scores, Partition(ids), np.zeros((8, 16), bool), 10.0) is None
