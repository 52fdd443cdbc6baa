"""What a proposer that knows words says, as regions and as a label map: words compete, things stay apart."""

from dataclasses import replace

import numpy as np
import pytest

import textseg
from tests.tiny import GivenMasks, noise_photo, tiny_model
from textseg.errors import UnknownNameError
from textseg.model import others
from textseg.proposals import Mask, Named, Naming
from textseg.pseudolabel import label_regions, named_regions
from textseg.vocabulary import Vocabulary
from textseg.web.rpc import pictures

SIZE = (8, 4)


def area(left: int, right: int) -> np.ndarray:
    mask = np.zeros((4, 8), bool)
    mask[:, left:right] = True
    return mask


def mask(left: int, right: int, score: float) -> Mask:
    return Mask.from_array(area(left, right), score)


def said(word: int, presence: float, masks: list[Mask], heat: np.ndarray) -> Named:
    return Named(word, presence, masks, heat.astype(np.float32), SIZE)


def test_things_of_one_word_stay_apart() -> None:
    cats = said(1, 0.9, [mask(0, 2, 0.8), mask(4, 6, 0.6)], area(0, 2) | area(4, 6))
    found = named_regions([cats], Vocabulary.parse("cat"), SIZE)
    assert [(region.word, region.mask.bbox[0], pytest.approx(region.confidence)) for region in found.regions] == [
        (1, 0, 0.8), (1, 4, 0.6),
    ]  # fmt: skip
    assert found.presence == {1: 0.9}


def test_words_compete_in_a_mask() -> None:
    cat = said(1, 1.0, [mask(0, 4, 0.6)], 0.6 * area(0, 4))
    dog = said(2, 0.9, [], 0.9 * area(0, 4))
    (first, *_) = named_regions([cat, dog], Vocabulary.parse("cat, dog"), SIZE).regions
    assert first.word == 2 and first.confidence == pytest.approx(0.81) and first.margin == pytest.approx(0.21)


def test_a_word_without_things_has_one_mask_of_its_pixels_where_it_is_there() -> None:
    sky, fog = (said(k, presence, [], 0.9 * area(0, 8 - k)) for k, presence in ((1, 0.8), (2, 0.4)))
    (region,) = named_regions([sky, fog], Vocabulary.parse("sky, fog"), SIZE).regions
    assert region.word == 1 and region.mask.area == 4 * 7 and region.confidence == pytest.approx(0.72)


def test_nothing_found_is_an_empty_label_map() -> None:
    found = named_regions([said(1, 0.1, [], np.zeros((4, 8)))], Vocabulary.parse("cat"), SIZE)
    assert found.regions == [] and not found.paint().ids.any()


class Words(GivenMasks):
    """Proposals that know the words cat (left, sure), dog (right, unsure) and floor (below)."""

    def named(self, vocabulary: Vocabulary, cancel=None) -> list[Named]:
        height, width = self.size[::-1]
        halves = {"cat": (0, width // 2, 0.9), "dog": (width // 2, width, 0.4)}
        found = []
        for k, word in enumerate(vocabulary, start=1):
            left, right, score = halves.get(word.name, (0, 0, 0.0))
            here = np.zeros((height, width), bool)
            here[: height // 2, left:right] = True
            here[height // 2 :] = word.name == "floor"
            masks = [Mask.from_array(here, score or 0.95)] if here.any() else []
            found.append(
                Named(k, score or 0.95 * here.any(), masks, here.astype(np.float32) * (score or 0.95), self.size)
            )
        return found


@pytest.fixture
def words() -> Words:
    return Words([Mask.from_array(np.ones((40, 60), bool), 1.0)])


@pytest.fixture
def scene():
    return tiny_model().encode(noise_photo(60, 40))


def test_labels_by_proposal_ask_by_words(scene, words) -> None:
    assert isinstance(words, Naming)
    vocabulary = Vocabulary.parse("cat, dog, bird")
    labels = textseg.segment(scene, vocabulary, by="proposal", proposals=words)
    assert (labels.ids[:20, :30] == 1).all() and not labels.ids[:, 30:].any() and not labels.ids[20:].any()
    assert labels.presence == {1: 0.9, 2: 0.4, 3: 0.0} and labels.confidence == pytest.approx({1: 0.9}, abs=0.01)
    closed = textseg.segment(scene, vocabulary, by="proposal", proposals=words, others=None)
    assert (closed.ids[:20, 30:] == 2).all() and not closed.ids[20:].any()
    assert not textseg.segment(scene, vocabulary, by="proposal", threshold=0.95, proposals=words).ids.any()
    assert words.asked == 0


def test_background_words_win_and_show_nothing(scene, words) -> None:
    labels = textseg.segment(scene, Vocabulary.parse("cat", "floor"), by="proposal", proposals=words)
    assert (labels.ids[:20, :30] == 1).all() and not labels.ids[20:].any()


def test_other_ways_of_labelling_do_not_ask_by_words(scene, words) -> None:
    vocabulary = Vocabulary.parse("cat, dog")
    same = textseg.segment(scene, vocabulary, others=None)
    assert np.array_equal(textseg.segment(scene, vocabulary, others=None, proposals=words).ids, same.ids)
    with pytest.raises(UnknownNameError, match="lie on image edges already"):
        textseg.segment(scene, vocabulary, by="proposal", refine="pamr", proposals=words)


def test_pseudo_labels_are_those_of_the_words(scene, words) -> None:
    found = label_regions(scene, Vocabulary.parse("cat, dog"), words)
    assert [(region.word, region.confidence) for region in found.regions] == [
        (1, pytest.approx(0.9)), (2, pytest.approx(0.4)),
    ]  # fmt: skip
    assert set(np.unique(found.paint().ids)) == {0, 1}


def test_the_page_shows_how_likely_each_word_is_and_that_the_rest_is_something_else(scene, words) -> None:
    vocabulary, nouns = Vocabulary.parse("cat, dog"), ["snow", "ski"]
    labels = textseg.segment(scene, vocabulary, by="proposal", others=nouns, proposals=words)
    answer = pictures.answer(scene, vocabulary, labels, rest=others.of(scene.model, nouns))
    assert (answer["grid"]["rows"], answer["grid"]["columns"]) == (40, 60)
    assert (answer["grid"]["low"], answer["grid"]["high"]) == pytest.approx((0, 1), abs=0.2)
    assert [word["presence"] for word in answer["words"]] == [0.9, 0.4]
    assert answer["rest"]["names"] == ["something else"] and answer["rest"]["shares"] == []
    large = replace(labels, heat=np.zeros((2, 288, 288), np.float32))
    assert pictures.answer(scene, vocabulary, large)["grid"]["rows"] == 96
