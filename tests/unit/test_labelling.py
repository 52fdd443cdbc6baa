"""Which words AFSS's pseudo-labels are made of: asked of the whole photo where that can be, else of its patches."""

from collections.abc import Sequence

import pytest
import torch
from PIL import Image

from tests.tiny import TinyBackbone, noise_photo, tiny_model
from textseg.errors import TrainingError
from textseg.model import Model
from textseg.vocabulary import Vocabulary
from trainer import whole
from trainer.labelling import likely_words

WORDS = Vocabulary.parse("cat, sofa; couch, wall, tree")


class Colours(TinyBackbone):
    """Embeds a photo as one of the words by the colour of its middle."""

    photo_side, trained_scale = 8, 100.0

    def embed_photos(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        return self.embed([("cat", "couch", "wall", "tree")[photo.getpixel((4, 4))[0] // 80] for photo in photos])


def model() -> Model:
    backbone = Colours()
    return Model(backbone, backbone.alignment(), "none")


def painted(*colours: tuple[tuple[int, int, int, int], int]) -> Image.Image:
    photo = Image.new("RGB", (96, 64), (0, 0, 0))
    for box, red in colours:
        photo.paste((red, 0, 0), box)
    return photo


def test_a_word_that_only_a_crop_shows_is_proposed() -> None:
    scene = model().encode(painted(((60, 36, 96, 64), 90)))  # a couch in a corner, the rest shows a cat
    likely = likely_words(scene, WORDS, 2)
    assert {WORDS[int(k)].name for k in likely} == {"cat", "sofa"}


def test_patches_are_asked_where_that_is_wanted_or_nothing_else_can_be() -> None:
    photo = noise_photo(96, 64)
    similarity = torch.from_numpy(tiny_model().encode(photo).similarity(WORDS)).flatten(1)
    expected = (10 * similarity).softmax(0).mean(1).topk(3).indices
    assert torch.equal(likely_words(tiny_model().encode(photo), WORDS, 3), expected)
    assert torch.equal(likely_words(model().encode(photo), WORDS, 3, "patches"), expected)
    with pytest.raises(TrainingError, match="no embedding of whole photos"):
        likely_words(tiny_model().encode(photo), WORDS, 3, "photo")


def test_what_a_caption_names_is_asked_before_what_the_patches_say() -> None:
    scene = tiny_model().encode(noise_photo(96, 64))
    first = int(likely_words(scene, WORDS, 1, "patches"))
    other = next(k for k in range(4) if k != first and WORDS[k].name != "sofa")

    asked = likely_words(scene, WORDS, 1, "captions", [f"Two {WORDS[other].name}s near a lake."])

    assert asked.tolist() == [other, first]
    assert likely_words(scene, WORDS, 1, "captions").tolist() == [first]
    assert likely_words(scene, WORDS, 0, "captions").tolist() == []


def test_crops_cover_the_photo_at_three_scales() -> None:
    crops = whole.crops(noise_photo(90, 60))
    assert [crop.size for crop in crops[:2]] == [(90, 60), (60, 40)] and len(crops) == 1 + 4 + 9
    assert crops[-1].size == (45, 30)
    assert crops[-1].tobytes() == noise_photo(90, 60).crop((45, 30, 90, 60)).tobytes()
