"""The recipe of the default head: what its feature cache is named by, and what its words say."""

import numpy as np
import pytest

from tests.tiny import TinyBackbone, noise_photo
from trainer.recipes.lite import words
from trainer.recipes.lite.data import encode, said


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "set" / "images"
    folder.mkdir(parents=True)
    for i in range(3):
        noise_photo(seed=i).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


def test_features_are_read_again_for_the_same_photos_and_weights(photos, tmp_path):
    backbone = TinyBackbone()
    first = np.array(encode(backbone, photos, (4, 5), tmp_path))
    assert first.shape == (3, 20, 24) and backbone.encoded == 3
    assert np.array_equal(encode(backbone, photos, (4, 5), tmp_path), first) and backbone.encoded == 3


def test_other_weights_other_photos_and_other_bytes_are_never_answered_from_an_old_cache(photos, tmp_path):
    backbone, other = TinyBackbone(), TinyBackbone()
    other.weights_hash = "f" * 16
    encode(backbone, photos, (4, 5), tmp_path)
    encode(other, photos, (4, 5), tmp_path)
    assert other.encoded == 3
    assert len(encode(backbone, photos[:2], (4, 5), tmp_path)) == 2
    before = np.array(encode(backbone, photos, (4, 5), tmp_path))
    noise_photo(seed=9).save(photos[0])
    assert not np.array_equal(encode(backbone, photos, (4, 5), tmp_path)[0], before[0])


def test_captions_name_and_imply_words():
    shares = said(["A surfer rides a wave .", "A dog on the beach ."])
    assert shares["person"] == shares["sea"] == shares["water"] == shares["sand"] == 0.5


def test_what_is_above_and_below_may_fill_a_photo_unsaid():
    assert set(words.STUFF) >= words.BELOW and set(words.STUFF) >= words.ABOVE and not words.ABOVE & words.BELOW
