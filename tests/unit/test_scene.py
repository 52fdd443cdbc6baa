import threading

import numpy as np
import pytest
import torch

from tests.tiny import noise_photo, tiny_model
from textseg.model import SceneCache
from textseg.model.windows import windows
from textseg.vocabulary import Vocabulary

WORDS = Vocabulary.parse("cat; kitten, sofa, wall")


@pytest.fixture
def model():
    return tiny_model()


def test_asking_another_vocabulary_runs_no_image_encoder(model):
    scene = model.encode(noise_photo())
    scene.label(WORDS)
    scene.label(Vocabulary.parse("sky, tree"))
    scene.units()
    scene.top(3, 4, WORDS)
    assert model.backbone.encoded == 1


def test_similarity_of_a_word_is_the_maximum_over_its_aliases(model):
    scene = model.encode(noise_photo())
    cat, kitten, both = (scene.similarity(Vocabulary.parse(w))[0] for w in ("cat", "kitten", "cat; kitten"))
    np.testing.assert_allclose(both, np.maximum(cat, kitten), atol=1e-6)


def test_similarity_comes_at_the_grid_or_at_the_photos_size(model):
    scene = model.encode(noise_photo(96, 64))
    assert scene.similarity(WORDS).shape == (3, 8, 12)
    assert scene.similarity(WORDS, full_size=True).shape == (3, 64, 96)


def test_label_is_the_arg_max_of_the_full_size_similarity(model):
    scene = model.encode(noise_photo(101, 67))
    naive = scene.similarity(WORDS, full_size=True).argmax(0) + 1
    assert np.array_equal(scene.label(WORDS).ids, naive)


def test_top_reads_the_surface_that_labels_are_made_from(model):
    scene = model.encode(noise_photo(101, 67))
    full = scene.similarity(WORDS, full_size=True)
    for x, y in [(0, 0), (100, 66), (50, 31)]:
        found = scene.top(x, y, WORDS, n=3)
        assert found[0][0] == WORDS[int(full[:, y, x].argmax())].name
        np.testing.assert_allclose([s for _, s in found], np.sort(full[:, y, x])[::-1], atol=1e-5)


def test_top_refuses_a_pixel_outside_the_photo(model):
    with pytest.raises(ValueError, match="outside"):
        model.encode(noise_photo()).top(96, 0, WORDS)


def test_a_background_word_wins_pixels_and_is_written_as_none(model):
    scene = model.encode(noise_photo())
    plain, behind = scene.label(Vocabulary.parse("cat, sofa")), scene.label(Vocabulary.parse("cat, -sofa"))
    assert (plain.ids == 2).any()
    assert np.array_equal(behind.ids, np.where(plain.ids == 2, 0, plain.ids))


def test_a_words_own_threshold_goes_before_the_common_one(model):
    scene = model.encode(noise_photo())
    words = Vocabulary.parse("cat, sofa").with_thresholds({"cat": 0.999})
    ids = scene.label(words, threshold=1e-9).ids
    assert not (ids == 1).any() and (ids == 2).any()


def test_confidence_is_the_mean_probability_over_a_classs_pixels(model):
    scene = model.encode(noise_photo(96, 64))
    labels = scene.label(WORDS)
    p = (torch.from_numpy(scene.similarity(WORDS)) * model.logit_scale).softmax(0)
    p = p.repeat_interleave(8, 1).repeat_interleave(8, 2).numpy()
    for k, confidence in labels.confidence.items():
        assert confidence == pytest.approx(p[k - 1][labels.ids == k].mean(), abs=1e-5)


def test_a_photo_of_one_pixel_and_a_strip_are_labelled(model):
    for size in ((1, 1), (20, 900)):
        assert model.encode(noise_photo(*size)).label(WORDS).size == size


def test_what_depends_on_the_photo_alone_is_computed_once(model):
    scene = model.encode(noise_photo())
    assert scene.once("x", lambda: [1]) is scene.once("x", lambda: pytest.fail("computed again"))


def test_the_cache_forgets_the_least_recently_used_scene_when_it_is_full(model):
    scenes = [model.encode(noise_photo(seed=i)) for i in range(3)]
    cache = SceneCache(max_bytes=2 * scenes[0].nbytes)
    cache.put(0, scenes[0])
    cache.put(1, scenes[1])
    cache.get(0)
    cache.put(2, scenes[2])
    assert cache.get(1) is None and cache.get(0) is scenes[0] and cache.nbytes <= cache.max_bytes


@pytest.mark.parametrize("size", [(64, 64), (200, 64), (136, 72), (64, 65)])
def test_windows_cover_the_image_and_stay_inside(size):
    covered = np.zeros(size[::-1], int)
    for left, top, right, bottom in windows(size, 64, 32, 8):
        assert left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1]
        covered[top:bottom, left:right] += 1
    assert covered.min() >= 1


def test_windows_average_similarities_where_they_overlap(model):
    model.backbone.window = 64
    scene = model.encode(noise_photo(128, 64))
    assert model.backbone.encoded == 3
    assert scene.grid == (8, 16)
    whole = tiny_model().encode(noise_photo(128, 64))  # patches see only themselves, so windows change nothing
    torch.testing.assert_close(scene.embedding, whole.embedding)


def test_features_alone_are_those_of_the_scene(model):
    for sizes in ((), ((32, 0.25), (64, 0.75))):
        model.head.sizes = sizes
        photo = noise_photo()
        assert torch.equal(model.features(photo), model.encode(photo).features)


def test_what_the_cache_holds_can_be_asked_while_scenes_come_and_go(model):
    class Slow(dict):
        """Scenes whose listing is interrupted by another thread's `put`."""

        move_to_end = popitem = lambda *_, **__: None

        def values(self):
            for k, scene in enumerate(super().values()):
                if k == 0 and other.ident is None:
                    other.start()
                    other.join(0.05)
                yield scene

    cache, scene = SceneCache(), model.encode(noise_photo())
    cache._scenes = Slow({0: scene, 1: scene})
    other = threading.Thread(target=cache.put, args=(2, scene))
    assert cache.nbytes == 2 * scene.nbytes
    other.join()
    assert cache.nbytes == 3 * scene.nbytes
