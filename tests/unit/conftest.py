"""Random models small enough for a test, as weight files: nothing is downloaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 3, "width": 64, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Any, Path]]:
    """`tiny_clip("tiny", vision={...})` gives (open_clip's model, its weight file) and makes the name known."""
    import open_clip

    folder = tmp_path_factory.mktemp("clip")
    made: dict[str, tuple[Any, Path]] = {}

    def make(name: str = "tiny", vision: dict[str, Any] | None = None, **config: Any) -> tuple[Any, Path]:
        if name not in made:
            settings = {**TINY, **config, "vision_cfg": {**TINY["vision_cfg"], **(vision or {})}}
            (folder / f"{name}.json").write_text(json.dumps(settings))
            open_clip.add_model_config(folder / f"{name}.json")
            model = open_clip.create_model(name).eval()
            shake(model)
            torch.save(model.state_dict(), folder / f"{name}.pt")
            made[name] = model, folder / f"{name}.pt"
        return made[name]

    return make


@pytest.fixture
def tiny_dino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path]:
    """(timm's model, its weight file) of a small transformer with registers that takes the place of `dinov2:small`."""
    import timm

    from textseg.model.backbones import dinov2

    model = timm.create_model("test_vit3", num_classes=0, dynamic_img_size=True).eval()
    shake(model)
    torch.save(model.state_dict(), tmp_path / "dino.pt")
    monkeypatch.setitem(dinov2.MODELS["dinov2"], "small", "test_vit3")
    return model, tmp_path / "dino.pt"


def shake(model: torch.nn.Module) -> None:
    """Weights large enough that attention differs from place to place, and no bias or norm that is trivially 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim < 2:
                parameter.add_(0.2 * noise)
            else:
                parameter.copy_(noise * 1.5 / parameter[0].numel() ** 0.5)
