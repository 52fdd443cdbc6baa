import io
import json
import tarfile

import pytest
import torch
from PIL import Image

from tests.tiny import noise_photo, tiny_model
from textseg.errors import DatasetError, PhotoError
from textseg.proposals import Mask
from textseg.vocabulary import Vocabulary
from trainer import data, shards
from trainer.labelling import label_keys, pseudo_labels
from trainer.nouns import Nouns, nouns_of
from trainer.store import ArrayStore


def png(seed: int) -> bytes:
    file = io.BytesIO()
    noise_photo(32, 24, seed).save(file, format="PNG")
    return file.getvalue()


def write_photos(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(seed))


def captions(photos):
    return {photo.name: photo.captions for photo in photos.photos}


def test_a_tsv_finds_its_photos_in_images_or_beside_itself(tmp_path):
    write_photos(tmp_path / "images", "a.png")
    write_photos(tmp_path, "b.jpg", "c.png")
    (tmp_path / "pairs.tsv").write_text("file\tcaption\na.png\ta cat\na.png\t two   cats \nc.png\ta dog\n")
    assert captions(data.read([tmp_path / "pairs.tsv"])) == {"a.png": ("a cat", "two cats"), "c.png": ("a dog",)}


def test_what_is_wrong_with_a_table_is_counted_and_named(tmp_path):
    write_photos(tmp_path, "a.png")
    (tmp_path / "pairs.tsv").write_text("a.png\ta cat\na.png\t  \nb.png\ta dog\njust words\n")
    found = data.read([tmp_path / "pairs.tsv"])
    assert captions(found) == {"a.png": ("a cat",)}
    assert found.skipped == {
        "captions without text": ["a.png"],
        "missing photos": ["b.png"],
        "lines without a tab": ["pairs.tsv line 4"],
    }
    assert "1 missing photos left out (b.png)" in str(found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.json", '[{"image": "a.png", "caption": "a cat"}, {"image": "b.png", "captions": ["a dog"]}]'),
        ("list.jsonl", '{"file": "a.png", "text": "a cat"}\n\n{"file": "b.png", "text": "a dog"}\n'),
        (
            "coco.json",
            json.dumps(
                {
                    "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "b.png"}],
                    "annotations": [{"image_id": 7, "caption": "a cat"}, {"image_id": 9, "caption": "a dog"}],
                }
            ),
        ),
    ],
)
def test_json_lists_are_read(tmp_path, name, text):
    write_photos(tmp_path, "a.png", "b.png")
    (tmp_path / name).write_text(text)
    assert captions(data.read([tmp_path / name])) == {"a.png": ("a cat",), "b.png": ("a dog",)}


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", '[{"caption": "a cat"}]', "{not json"])
def test_json_that_is_no_list_of_photos_is_refused(tmp_path, text):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(DatasetError, match="list.json"):
        data.read([tmp_path / "list.json"])


def test_a_folder_takes_captions_from_the_text_beside_a_photo(tmp_path):
    write_photos(tmp_path, "a.png", "sub/b.png", "c.png")
    (tmp_path / "a.txt").write_text("a cat\nanother cat\n")
    (tmp_path / "c.txt").write_text(" \n")
    found = data.read([tmp_path])
    assert captions(found) == {"a.png": ("a cat", "another cat"), "c.png": (), "sub/b.png": ()}
    assert found.skipped == {"captions without text": ["c.txt"]}


def write_shard(path, samples):
    with tarfile.open(path, "w") as archive:
        for key, files in samples.items():
            for ending, content in files.items():
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("place", ["{folder}/s-0.tar", "{folder}", "{folder}/s-{{0..1}}.tar"])
def test_webdataset_shards_are_read_in_any_order(tmp_path, place):
    write_shard(tmp_path / "s-0.tar", {"000": {"png": png(0), "txt": b"a cat"}, "001": {"json": b"{}", "png": png(1)}})
    write_shard(tmp_path / "s-1.tar", {"002": {"json": b'{"caption": "a dog"}', "png": png(2)}})
    found = data.read([place.format(folder=tmp_path)], tmp_path / "cache")
    expected = {"s-0.tar/000.png": ("a cat",), "s-0.tar/001.png": (), "s-1.tar/002.png": ("a dog",)}
    assert captions(found) == dict(list(expected.items())[: len(found.photos)])
    assert len(found.photos) == (2 if place.endswith("s-0.tar") else 3)
    for seed, photo in reversed(list(enumerate(found.photos))):
        assert photo.read() == png(seed)
    again = data.read([place.format(folder=tmp_path)], tmp_path / "cache")
    assert again.photos == found.photos


def test_a_shard_without_a_whole_photo_is_refused_in_one_sentence(tmp_path):
    write_shard(tmp_path / "s.tar", {"000": {"png": png(0), "txt": b"a cat"}})
    (tmp_path / "s.tar").write_bytes((tmp_path / "s.tar").read_bytes()[:700])
    with pytest.raises(
        DatasetError, match=r"no photo to train on.*1 shards that are no plain tar files, such as s\.tar"
    ):
        data.read([tmp_path / "s.tar"])


@pytest.mark.parametrize("left", [2048, 2048 + 512 + 100], ids=["between two members", "in the middle of a photo"])
def test_of_a_torn_shard_the_whole_photos_are_taken(tmp_path, left):
    samples = {"000": {"png": png(0)[:400], "txt": b"a cat"}, "001": {"png": png(1), "txt": b"a dog"}}
    write_shard(tmp_path / "s.tar", samples)
    (tmp_path / "s.tar").write_bytes((tmp_path / "s.tar").read_bytes()[:left])
    found = data.read([tmp_path])
    assert captions(found) == {"s.tar/000.png": ("a cat",)}
    assert found.skipped == {"ends of torn shards": ["s.tar"]}
    assert "left out (s.tar)" in str(found)


def test_a_shard_with_upper_case_endings_and_odd_files_is_read_and_tells_them(tmp_path):
    samples = {
        "000": {"JPG": png(0), "TXT": b"a cat"},
        "001": {"jpg": png(1), "json": b"{no json"},
        "002": {"txt": b"alone"},
        "._003": {"jpg": b"a Macintosh was here"},
        "004": {"seg.PNG": png(4), "jpg": png(5), "json": b'{"caption": "a dog"}'},
    }
    write_shard(tmp_path / "s.TAR", samples)
    found = data.read([tmp_path])
    assert captions(found) == {"s.TAR/000.JPG": ("a cat",), "s.TAR/001.jpg": (), "s.TAR/004.seg.PNG": ("a dog",)}
    assert {reason: names for reason, names in found.skipped.items()} == {
        "odd files in shards": ["s.TAR/._003.jpg"],
        "captions that are no JSON": ["s.TAR/001.jpg"],
        "samples without a photo": ["s.TAR/002.txt"],
        "further pictures of a sample": ["s.TAR/004.jpg"],
    }


def test_no_file_and_no_shard_is_read_twice_unless_it_changes(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos", "a.png", "b.png")
    write_shard(tmp_path / "s.tar", {"000": {"png": png(2)}})
    places, cache = [tmp_path / "photos", tmp_path / "s.tar"], tmp_path / "cache"
    first = data.read(places, cache)

    hashed, looked_into = [], []
    whole, contents = data._hashed, shards.contents
    monkeypatch.setattr(data, "_hashed", lambda path: hashed.append(path.name) or whole(path))
    monkeypatch.setattr(shards, "contents", lambda path: looked_into.append(path.name) or contents(path))
    assert data.read(places, cache).photos == first.photos and hashed == looked_into == []

    (tmp_path / "photos" / "b.png").write_bytes(png(7))
    write_shard(tmp_path / "s.tar", {"000": {"png": png(2)}, "001": {"png": png(3)}})
    assert len(data.read(places, cache).photos) == 4
    assert (hashed, looked_into) == (["b.png"], ["s.tar"])


def test_a_shard_whose_disk_failed_once_is_read_again_by_the_next_run(tmp_path, monkeypatch):
    write_shard(tmp_path / "s.tar", {"000": {"png": png(0)}, "001": {"png": png(1)}})
    content, read = shards._content, []

    def failing(file, member):
        read.append(member.name)
        if len(read) > 1:
            raise OSError("the disk is away")
        return content(file, member)

    monkeypatch.setattr(shards, "_content", failing)
    cut_off = data.read([tmp_path / "s.tar"], tmp_path / "cache")
    assert len(cut_off.photos) == 1 and cut_off.skipped == {shards.CUT_OFF: ["s.tar"]}
    monkeypatch.undo()
    whole = data.read([tmp_path / "s.tar"], tmp_path / "cache")
    assert len(whole.photos) == 2 and not whole.skipped


def test_processes_share_the_reading_of_a_data_set(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos", "a.png", "b.png", "c.png")
    expected, cache, hashed = data.read([tmp_path / "photos"]), tmp_path / "cache", []
    whole = data._hashed
    monkeypatch.setattr(data, "_hashed", lambda path: hashed.append(path.name) or whole(path))

    def other_process():
        assert hashed == ["a.png", "c.png"]
        assert data.read([tmp_path / "photos"], cache, (1, 2)).photos == expected.photos

    found = data.read([tmp_path / "photos"], cache, (0, 2), together=other_process)
    assert found.photos == expected.photos and sorted(hashed) == ["a.png", "b.png", "c.png"]


def test_a_photo_that_cannot_be_read_is_told_and_left_out(tmp_path, monkeypatch):
    write_photos(tmp_path, "a.png", "b.png")
    whole = data._hashed
    monkeypatch.setattr(data, "_hashed", lambda path: None if path.name == "a.png" else whole(path))
    found = data.read([tmp_path])
    assert captions(found) == {"b.png": ()} and found.skipped == {"photos that cannot be read": ["a.png"]}


def test_photos_with_equal_bytes_are_one_photo(tmp_path):
    write_photos(tmp_path / "images", "a.png")
    (tmp_path / "images" / "copy.png").write_bytes((tmp_path / "images" / "a.png").read_bytes())
    (tmp_path / "pairs.tsv").write_text("a.png\ta cat\ncopy.png\ta kitten\n")
    assert captions(data.read([tmp_path / "pairs.tsv"])) == {"a.png": ("a cat", "a kitten")}


def test_an_empty_data_set_says_what_was_left_out(tmp_path):
    (tmp_path / "pairs.tsv").write_text("a.png\ta cat\n")
    with pytest.raises(DatasetError, match="no photo to train on .*1 missing photos, such as a.png"):
        data.read([tmp_path / "pairs.tsv"])
    with pytest.raises(DatasetError, match="does not exist"):
        data.read([tmp_path / "nowhere"])
    with pytest.raises(DatasetError, match="no data set"):
        data.read([__file__])


def test_photos_without_captions_are_no_use_where_captions_are_needed(tmp_path):
    write_photos(tmp_path, "a.png", "b.png")
    with pytest.raises(DatasetError, match="has a caption"):
        data.read([tmp_path]).captioned()
    (tmp_path / "b.txt").write_text("a dog")
    found = data.read([tmp_path]).captioned()
    assert captions(found) == {"b.png": ("a dog",)}
    assert found.skipped == {"photos without a caption": ["a.png"]}


def test_the_fingerprint_follows_photos_and_captions_and_nothing_else(tmp_path):
    def fingerprint(folder, caption):
        write_photos(folder, "a.png")
        (folder / "a.txt").write_text(caption)
        return data.read([folder]).fingerprint

    assert fingerprint(tmp_path / "x", "a cat") == fingerprint(tmp_path / "y", "a cat")
    assert fingerprint(tmp_path / "x", "a dog") != fingerprint(tmp_path / "y", "a cat")


def test_a_torn_photo_is_named_when_it_is_opened(tmp_path):
    (tmp_path / "torn.png").write_bytes(png(0)[:100])
    (photo,) = data.read([tmp_path]).photos
    with pytest.raises(PhotoError, match=r"torn\.png"):
        photo.open()


def test_nouns_are_found_once_and_kept(tmp_path):
    write_photos(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("two dogs\na cat and a dog")
    photos = data.read([tmp_path]).photos
    nouns = Nouns(["cat", "dog"])
    assert nouns_of(photos, nouns, tmp_path / "cache") == [("dog", "cat")]
    nouns.find = None  # a second look would fail
    assert nouns_of(photos, nouns, tmp_path / "cache") == [("dog", "cat")]
    assert nouns_of(photos, Nouns(["cat"]), tmp_path / "cache") == [("cat",)]


class LeftHalf:
    """A proposer whose only mask is the left half of the photo."""

    name = "left"

    def open(self, photo: Image.Image, scene=None):
        self.size = photo.size
        return self

    def everything(self, cancel=None):
        mask = torch.zeros(self.size[1], self.size[0], dtype=torch.bool)
        mask[:, : self.size[0] // 2] = True
        return [Mask.from_array(mask.numpy(), 1.0)]


def test_pseudo_labels_name_the_patches_that_a_proposal_covers(tmp_path):
    write_photos(tmp_path / "photos", "a.png", "b.png", "c.png")
    photos = data.read([tmp_path / "photos"]).photos
    words = Vocabulary.parse("cat, dog, sky, tree")
    stores = [ArrayStore(tmp_path / name) for name in ("one", "two")]
    settings = {"words_a_photo": 2, "confidence": 0.0, "margin": 0.0}
    pseudo_labels(photos, tiny_model(), words, LeftHalf(), [(4, 6)], stores[0], **settings)
    for share in ((0, 2), (1, 2)):
        pseudo_labels(photos, tiny_model(), words, LeftHalf(), [(4, 6)], stores[1], **settings, share=share)
    for photo in photos:
        label_key, confidence_key = label_keys(photo, (4, 6))
        labels, confidence = stores[0][label_key], stores[0][confidence_key]
        assert (labels[:, 3:] == -1).all() and (confidence[:, 3:] == 0).all()
        assert len(labels[:, :3].unique()) == 1 and 0 <= labels[0, 0] < 4
        assert (confidence[:, :3] > 0).all()
        assert torch.equal(stores[1][label_key], labels)
