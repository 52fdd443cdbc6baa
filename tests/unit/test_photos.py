"""Photos in hand: unguessable, bounded, and never somebody else's."""

import pytest

from textseg.web.rpc.photos import PhotoGoneError, Photos, UploadedPhoto, WindowPhoto


def test_equal_photos_share_a_key_but_never_a_token():
    photos = Photos()
    first, second = (photos.add(UploadedPhoto(name, b"the same bytes")) for name in ("a.png", "b.png"))
    assert first != second and len(first) >= 32
    assert photos.get(first).key == photos.get(second).key
    assert photos.get(first).name == "a.png"


@pytest.mark.parametrize("token", ["", "None", "a" * 32])
def test_a_guessed_token_gives_nothing(token):
    photos = Photos()
    photos.add(UploadedPhoto("a.png", b"bytes"))
    with pytest.raises(PhotoGoneError):
        photos.get(token)


def test_the_least_used_photo_leaves_first():
    photos = Photos(max_bytes=25)
    first, second = photos.add(UploadedPhoto("1", b"x" * 10)), photos.add(UploadedPhoto("2", b"x" * 10))
    photos.get(first)
    third = photos.add(UploadedPhoto("3", b"x" * 10))
    assert photos.get(first) and photos.get(third)
    with pytest.raises(PhotoGoneError):
        photos.get(second)


def test_one_photo_above_the_limit_is_kept_alone():
    photos = Photos(max_bytes=5)
    token = photos.add(UploadedPhoto("large", b"x" * 10))
    assert photos.get(token).name == "large"


def test_photos_that_hold_no_bytes_are_bounded_by_their_number():
    photos = Photos(most=2)
    first, *others = [photos.add(WindowPhoto(name, name, lambda: None)) for name in "abc"]
    assert [photos.get(token).name for token in others] == ["b", "c"]
    with pytest.raises(PhotoGoneError):
        photos.get(first)
