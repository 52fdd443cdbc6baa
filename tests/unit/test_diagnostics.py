import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tests.tiny import TinyBackbone, noise_photo, tiny_model
from textseg.errors import DatasetError
from textseg.model import Model, heads
from textseg.model.embedding import embed_words
from textseg.model.heads.pacl import PACLHead
from textseg.vocabulary import Vocabulary
from trainer import data, datasets, diagnostics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos of 64 x 64, so that a patch of the tiny backbone is 8 x 8 pixels; columns of three classes."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "classes.txt").write_text("1\tcat\n2\tsofa\n3\twall\n")
    ids = np.repeat([1, 1, 2, 2, 3, 3, 0, 0], 8)[None].repeat(64, 0).astype(np.uint8)
    for k in range(2):
        noise_photo(64, 64, seed=k).save(tmp_path / "images" / f"{k}.png")
        Image.fromarray(np.roll(ids, 8 * k, 1)).save(tmp_path / "labels" / f"{k}.png")
    return tmp_path


def test_patch_accuracy_counts_the_patches_whose_best_word_is_right(folder: Path) -> None:
    model, dataset = tiny_model(), datasets.open(folder)
    right = 0
    for k in range(2):
        best = model.encode(Image.open(folder / "images" / f"{k}.png")).similarity(
            Vocabulary.from_names(["cat", "sofa", "wall"])
        )
        truth = np.asarray(Image.open(folder / "labels" / f"{k}.png"))[::8, ::8].astype(int) - 1
        right += int((best.argmax(0) == truth).sum())
    found = diagnostics.patch_accuracy(model, dataset)
    assert found["patches"] == 2 * 8 * 6
    assert found["patch_accuracy"] == pytest.approx(100 * right / found["patches"])


def test_a_patch_of_several_classes_has_the_one_on_most_of_it_or_none() -> None:
    truth = np.array([[0, 0, 0, 1], [0, 1, -1, 1]])
    assert diagnostics.patch_classes(truth, (1, 2), 2, 0.5).tolist() == [[0, -1]]
    assert diagnostics.patch_classes(truth, (1, 2), 2, 0.4).tolist() == [[0, 1]]
    assert diagnostics.patch_classes(truth, (1, 2), 2, 0.8).tolist() == [[-1, -1]]


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, 12, elements=st.integers(-3, 3)),
    hnp.arrays(bool, 12).filter(lambda positive: 0 < positive.sum() < 12),
)
def test_auroc_is_the_chance_that_a_positive_scores_above_a_negative(scores: np.ndarray, positive: np.ndarray) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert diagnostics.auroc(scores, positive) == pytest.approx(np.mean(pairs))


def test_coherence_is_high_when_patches_of_a_class_look_alike(folder: Path) -> None:
    model = tiny_model()
    for k in range(2):  # paint each class in its own colour
        label = np.asarray(Image.open(folder / "labels" / f"{k}.png"))
        colours = np.array([[90, 90, 90], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
        Image.fromarray(colours[label]).save(folder / "images" / f"{k}.png")
    found = diagnostics.coherence(model, datasets.open(folder), patches=40)
    assert found["auroc"] == 1.0
    assert (found["patches"], found["pairs"]) == (40, 40 * 39 // 2)


def test_coherence_of_one_class_alone_is_refused(folder: Path) -> None:
    (folder / "ignore.txt").write_text("2\n3\n")
    with pytest.raises(DatasetError, match="two classes"):
        diagnostics.coherence(tiny_model(), datasets.open(folder))


def test_whole_photo_scores_pool_patches_for_every_text_apart(folder: Path) -> None:
    model = tiny_model()
    photos = data.read([folder / "images"]).photos
    texts = diagnostics.embed_texts(model, ["cat", "a sofa " * 100], "plain")
    scores = diagnostics.pacl_scores(model, photos, texts, attn_scale=10.0)
    for row, photo in zip(scores, photos, strict=True):
        tokens = F.normalize(model.encode(photo.open()).embedding.flatten(1).T, dim=1)
        for score, text in zip(row, texts, strict=True):
            pooled = ((10 * tokens @ text).softmax(0)[:, None] * tokens).sum(0)
            assert score == pytest.approx(float(torch.cosine_similarity(pooled, text, dim=0)), abs=1e-5)


def table(folder: Path, lines: str) -> list[data.TrainingPhoto]:
    (folder / "captions.tsv").write_text(lines)
    return data.read([folder / "captions.tsv"]).captioned().photos


def test_retrieval_counts_any_own_caption_and_the_own_photo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = table(folder, "0.png\tone\n0.png\ttwo\n1.png\tthree\n1.png\tfour\n")
    scores = np.array([[0.9, 0.1, 0.5, 0.2], [0.8, 0.7, 0.6, 0.6]])
    monkeypatch.setattr(diagnostics, "pacl_scores", lambda *_: scores)
    found = diagnostics.retrieval(tiny_model(), photos)
    # Photo 0 finds "one" first; photo 1 finds its own in places 3 and 4. Captions one, three and four find their photo.
    assert found["image_to_text"] == {"R@1": 50.0, "R@5": 100.0, "R@10": 100.0}
    assert found["text_to_image"] == {"R@1": 75.0, "R@5": 100.0, "R@10": 100.0}


def test_a_model_that_scores_all_alike_retrieves_nothing_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = table(folder, "0.png\tone\n1.png\ttwo\n")
    monkeypatch.setattr(diagnostics, "pacl_scores", lambda *_: np.ones((2, 2)))
    assert diagnostics.retrieval(tiny_model(), photos)["image_to_text"]["R@1"] == 0.0
    assert diagnostics.classification(tiny_model(), photos)["top1"] == 0.0


def test_classification_asks_every_name_of_every_photo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = table(folder, "0.png\tcat\n1.png\tsofa\n")
    monkeypatch.setattr(diagnostics, "pacl_scores", lambda *_: np.array([[0.9, 0.1], [0.8, 0.2]]))
    found = diagnostics.classification(tiny_model(), photos)
    assert found == {"top1": 50.0, "top5": 100.0, "photos": 2, "classes": 2}


def test_a_missing_set_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnostics.main(["patches", str(tmp_path / "nowhere"), "--head", "none"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


class PhotoBackbone(TinyBackbone):
    """Embeds whole photos as what the corner of a picture 16 pixels wide says: its red picks one of the texts."""

    photo_side, trained_scale = 16, 100.0

    def embed_photos(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        assert all(photo.size == (16, 16) for photo in photos)
        names = [("cat", "sofa", "wall")[round(photo.getpixel((0, 0))[0] / 100)] for photo in photos]
        return embed_words(self.embed, names, "plain")


def class_folders(folder: Path) -> Path:
    for k, name in enumerate(("cat", "sofa", "n02123045")):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (40, 30), (100 * k, 10 * i, 0)).save(folder / name / f"{i}.JPEG")
    return folder


def test_a_folder_of_class_folders_is_read_with_wordnets_names(tmp_path: Path) -> None:
    photos = diagnostics.of_class_folders(class_folders(tmp_path))
    assert {photo.name: photo.captions for photo in photos if photo.name.endswith("0.JPEG")} == {
        "cat/0.JPEG": ("cat",),
        "n02123045/0.JPEG": ("tabby",),
        "sofa/0.JPEG": ("sofa",),
    }
    with pytest.raises(DatasetError, match="one for each class"):
        diagnostics.of_class_folders(tmp_path / "cat")


def test_whole_photos_are_classified_by_the_backbones_own_embedding(tmp_path: Path) -> None:
    photos = diagnostics.of_class_folders(class_folders(tmp_path))
    backbone = PhotoBackbone()
    found = diagnostics.classification(Model(backbone, backbone.alignment(), "none"), photos, attn_scale=None)
    assert found == {"top1": pytest.approx(200 / 3), "top5": 100.0, "photos": 6, "classes": 3}
    with pytest.raises(DatasetError, match="no embedding of whole photos; leave out --pool photo"):
        diagnostics.classification(tiny_model(), photos, attn_scale=None)


def test_kappa_is_what_the_head_was_trained_with(tmp_path: Path) -> None:
    backbone = TinyBackbone()
    for name, recipe in (("sharp", {"attn_scale": 50}), ("usual", {})):
        head = PACLHead.build(backbone)
        heads.save(head, tmp_path / f"{name}.safetensors", backbone, objective="pacl", recipe={"objective": recipe})
    assert diagnostics.trained_attn_scale(str(tmp_path / "sharp.safetensors"), "tiny") == 50.0
    assert diagnostics.trained_attn_scale(str(tmp_path / "usual.safetensors"), "tiny") == 10.0
    assert diagnostics.trained_attn_scale("none", "tiny") == 10.0


def test_class_folders_are_classified_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class_folders(tmp_path)
    assert diagnostics.main(["classify", str(tmp_path), "--backbone", "tiny", "--head", "none"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["photos"], found["classes"], found["pool"], found["attn_scale"]) == (6, 3, "pacl", 10.0)
