"""A project's photos as a head sees them: features and regions, made once and kept in the project's cache folder."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import torch

from textseg.model import Model
from textseg.model.partition import Layers, Partition, layers
from textseg.project import Project
from textseg.project.schema import StoredPhoto
from trainer.features import SPARE_DISK
from trainer.store import ArrayStore


class Encodings:
    """Features and regions of a project's photos, made once and kept in its cache folder while there is room."""

    def __init__(self, project: Project, model: Model) -> None:
        self._project, backbone = project, model.backbone
        self._model = model
        facts = ["layers", backbone.name, backbone.weights_hash, str(backbone.short_side), *map(str, model.head.sizes)]
        digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
        self.root = project.folder / "cache" / "features"
        self._store = ArrayStore(self.root / digest)

    def __contains__(self, photo: StoredPhoto) -> bool:
        return photo.sha256 in self._store

    def of(self, photo: StoredPhoto) -> tuple[torch.Tensor, Partition]:
        """((D, h, w) float16 features, the photo's regions); raises PhotoError when its file has vanished."""
        if photo.sha256 not in self._store:
            picture = self._project.picture(photo.id)
            features, regions = self._model.features(picture).cpu(), layers(picture)
            if shutil.disk_usage(self.root).free > SPARE_DISK:
                ids = torch.from_numpy(np.stack([layer.ids for layer in regions.layers]))
                self._store.add({photo.sha256: features, f"{photo.sha256}/regions": ids})
            return features, regions
        stored = self._store[f"{photo.sha256}/regions"].numpy()
        return self._store[photo.sha256], Layers([Partition(ids) for ids in stored])
