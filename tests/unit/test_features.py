import pytest
import torch

from tests.tiny import TinyBackbone, noise_photo
from tests.tiny_training import write_data
from trainer import data, features, notes, packings
from trainer.data import TrainingPhoto
from trainer.features import FeatureCache, Texts


@pytest.fixture
def backbone():
    return TinyBackbone()


@pytest.fixture
def photos(tmp_path):
    return data.read([write_data(tmp_path / "data", 6)]).photos


def fill(photos, caches, backbone, root, limit=10**9, share=(0, 1)):
    readable = notes.of_readability(root)
    kept, told = features.plan(photos, caches, root, limit, readable)
    return features.fill(photos, kept, caches, backbone, readable, share), told


def test_cached_features_are_those_of_the_backbone_in_half_precision(tmp_path, photos, backbone):
    cache = FeatureCache(tmp_path / "cache", backbone, (64, 48))
    unreadable, told = fill(photos, [cache], backbone, tmp_path / "cache")
    assert unreadable == {} and "6 photos at 64 x 48: 13.8 KB" in told and "2.3 KB a photo" in told
    for photo in photos:
        expected = backbone.encode([photo.open().resize((64, 48), 3)])[0]
        assert cache[photo.sha256].dtype == torch.float16 and cache[photo.sha256].shape == (24, 6, 8)
        torch.testing.assert_close(cache[photo.sha256].float(), expected, atol=2e-3, rtol=2e-3)


def test_what_is_cached_is_never_encoded_again(tmp_path, photos, backbone):
    root = tmp_path / "cache"
    fill(photos, [FeatureCache(root, backbone, (64, 64))], backbone, root)
    again = FeatureCache(root, backbone, (64, 64))
    backbone.encoded = 0
    _, told = fill(photos, [again], backbone, root)
    assert backbone.encoded == 0 and "6 photos are there already" in told


def test_other_weights_or_sizes_share_no_features(tmp_path, photos, backbone):
    root = tmp_path / "cache"
    fill(photos, [FeatureCache(root, backbone, (64, 64))], backbone, root)
    assert len(FeatureCache(root, backbone, (64, 48))) == 0
    backbone.weights_hash = "another"
    assert len(FeatureCache(root, backbone, (64, 64))) == 0


def test_the_limit_holds_and_is_told_beforehand(tmp_path, photos, backbone):
    root = tmp_path / "cache"
    caches = [FeatureCache(root, backbone, size) for size in ((64, 64), (64, 48))]
    each = sum(cache.photo_bytes for cache in caches)
    limit = 4 * each + 10
    _, told = fill(photos, caches, backbone, root, limit)
    assert "leaves room for 4 more; the other 2 are encoded anew" in told
    assert [len(cache) for cache in caches] == [4, 4]
    data_bytes = sum(sum(cache[photo.sha256].nbytes for photo in photos[:4]) for cache in caches)
    assert data_bytes == 4 * each
    _, told = fill(photos, caches, backbone, root, limit)
    assert "room for 0 more" in told and [len(cache) for cache in caches] == [4, 4]


def test_two_processes_share_the_work_and_meet_in_one_folder(tmp_path, photos, backbone):
    root = tmp_path / "cache"
    caches = [FeatureCache(root, backbone, (64, 64)) for _ in range(2)]
    readable = notes.of_readability(root)
    kept, _ = features.plan(photos, caches[:1], root, 10**9, readable)
    features.fill(photos, kept, caches[:1], backbone, readable, (0, 2))
    assert len(caches[0]) == 3
    features.fill(photos, kept, caches[1:], backbone, readable, (1, 2))
    caches[0].refresh()
    assert len(caches[0]) == 6 and len(list(caches[0].folder.glob("*.safetensors"))) == 2


@pytest.mark.parametrize("limit", [0, 10**9])
def test_unreadable_photos_are_found_before_the_training_cached_or_not(tmp_path, photos, backbone, limit):
    photos[2].path.write_bytes(photos[2].read()[:200])
    photos[4].path.unlink()
    root = tmp_path / "cache"
    unreadable, _ = fill(photos, [FeatureCache(root, backbone, (64, 64))], backbone, root, limit)
    assert set(unreadable) == {photos[2].name, photos[4].name}


@pytest.mark.parametrize("limit", [0, 10**9], ids=["no room", "room for all"])
def test_no_photo_is_opened_a_second_time_to_see_whether_it_opens(tmp_path, photos, backbone, limit, monkeypatch):
    photos[2].path.write_bytes(photos[2].read()[:200])
    photos[4].path.unlink()
    opened, root = [], tmp_path / "cache"
    whole = TrainingPhoto.open
    monkeypatch.setattr(TrainingPhoto, "open", lambda photo: opened.append(photo.name) or whole(photo))
    first, _ = fill(photos, [FeatureCache(root, backbone, (64, 64))], backbone, root, limit)
    assert sorted(opened) == sorted(photo.name for photo in photos)

    opened.clear()
    again, _ = fill(photos, [FeatureCache(root, backbone, (64, 64))], backbone, root, limit)
    assert again == first and opened == [photos[4].name]  # a file that is gone may be there again


def test_a_few_photos_at_a_time_are_encoded_and_fewer_where_memory_is_short(tmp_path, backbone):
    cache, sizes, encode = FeatureCache(tmp_path, backbone, (64, 64)), [], backbone.encode
    images = [noise_photo(64, 64, seed) for seed in range(19)]
    whole = encode(images).half()

    def short_of_memory(photos):
        sizes.append(len(photos))
        if len(photos) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(photos)

    backbone.encode = short_of_memory
    found = cache.encode(images, backbone)
    torch.testing.assert_close(found, whole, atol=2e-3, rtol=2e-3)
    assert sizes[:3] == [8, 4, 2] and max(sizes[2:]) == 2


@pytest.mark.parametrize(("packing", "share"), [("int8", 0.542), ("float8", 0.542)])
def test_a_byte_a_channel_takes_about_half_and_keeps_the_direction_of_a_patch(tmp_path, backbone, packing, share):
    cache, whole = (FeatureCache(tmp_path, backbone, (64, 48), name) for name in (packing, "float16"))
    images = [noise_photo(64, 48, seed) for seed in range(3)]
    packed = cache.encode(images, backbone)
    cache.add({str(i): one for i, one in enumerate(packed)})
    kept = torch.stack([FeatureCache(tmp_path, backbone, (64, 48), packing)[str(i)] for i in range(3)])
    expected = whole.unpack(whole.encode(images, backbone))
    cosine = torch.nn.functional.cosine_similarity(cache.unpack(kept), expected)
    assert cosine.min() > 0.997 and cache.unpack(kept).dtype == torch.float32
    assert packed.nbytes == 3 * cache.photo_bytes and cache.photo_bytes / whole.photo_bytes == pytest.approx(
        share, abs=0.01
    )
    assert len(whole) == 0  # other packings lie elsewhere


@pytest.mark.parametrize("name", packings.names())
def test_packed_photos_without_anything_in_them_stay_so(name):
    packing = packings.get(name)
    nothing = torch.zeros(2, 5, 3, 4)
    assert torch.equal(packing.unpack(packing.pack(nothing)), nothing)
    assert packing.pack(nothing[:0]).shape == (0, *packing.pack(nothing).shape[1:])


def test_processes_share_the_embedding_of_texts(tmp_path, backbone, monkeypatch):
    monkeypatch.setattr(features, "TEXTS_AT_ONCE", 3)
    words, asked = [f"word {i}" for i in range(8)], []
    embed = backbone.embed
    backbone.embed = lambda texts: asked.append(len(texts)) or embed(texts)

    def other_process():
        assert asked == [3, 2]
        Texts(tmp_path, backbone, words, share=(1, 2))

    texts = Texts(tmp_path, backbone, words, share=(0, 2), together=other_process)
    assert asked == [3, 2, 3]
    torch.testing.assert_close(texts[range(8)], embed(words))


def test_texts_are_embedded_once_and_kept(tmp_path, backbone, monkeypatch):
    monkeypatch.setattr(features, "TEXTS_AT_ONCE", 3)
    words = [f"word {i}" for i in range(8)]
    texts = Texts(tmp_path, backbone, words)
    torch.testing.assert_close(texts[[7, 0, 3]], backbone.embed(["word 7", "word 0", "word 3"]))
    backbone.embed = None  # asking again would fail
    assert torch.equal(Texts(tmp_path, backbone, words)[range(8)], texts[range(8)])


def test_templates_make_other_embeddings(tmp_path, backbone):
    plain, scene = (Texts(tmp_path, backbone, ["cat"], templates)[[0]] for templates in ("plain", "scene"))
    assert (plain * scene).sum() < 0.99
