"""Models of the Segment Anything family small enough to make in a second, as transformers saves them."""

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

SIDE = 128
PROMPTS = {"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
DECODER = {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
VISION = {"hidden_size": 48, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
          "image_size": SIDE, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 16}  # fmt: skip
LEVELS = [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2]


def make(model_type: str) -> Any:
    """A random model of `model_type`; its masks differ from prompt to prompt."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        torch.manual_seed(3)
        return livened(MODELS[model_type]().eval())
    finally:
        logging.set_verbosity(level)


def livened(model: Any) -> Any:
    """A model whose decoder's weights are wide enough that masks differ from prompt to prompt."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=1.2 / parameter[0].numel() ** 0.5)
    for name, parameter in model.named_parameters():
        if "hypernetworks_mlps" in name and name.endswith("proj_out.weight"):
            parameter.data *= 30
    return model


def sam() -> Any:
    return transformers.SamModel(
        transformers.SamConfig(vision_config=VISION, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
    )


def sam_hq() -> Any:
    decoder = DECODER | {"vit_dim": 48}
    return transformers.SamHQModel(
        transformers.SamHQConfig(vision_config=VISION, prompt_encoder_config=PROMPTS, mask_decoder_config=decoder)
    )


def sam2() -> Any:
    backbone = {"hidden_size": 8, "num_attention_heads": 1, "image_size": [SIDE, SIDE],
                "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 24, 32],
                "num_attention_heads_per_stage": [1, 1, 2, 2], "window_size_per_stage": [4, 2, 4, 2],
                "global_attention_blocks": [3], "window_positional_embedding_background_size": [4, 4]}  # fmt: skip
    vision = {"backbone_config": backbone | {"model_type": "sam2_hiera_det_model"},
              "backbone_channel_list": [32, 24, 16, 8], "backbone_feature_sizes": LEVELS,
              "fpn_hidden_size": 32}  # fmt: skip
    return transformers.Sam2Model(
        transformers.Sam2Config(vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
    )


def edgetam() -> Any:
    backbone = {"model_type": "timm_wrapper", "architecture": "test_resnet.r160_in1k", "do_pooling": False,
                "num_classes": 2,
                "model_args": {"in_chans": 3, "features_only": True, "out_indices": [1, 2, 3, 4]}}  # fmt: skip
    vision = {"backbone_config": backbone, "backbone_channel_list": [96, 192, 48, 32],
              "backbone_feature_sizes": LEVELS, "fpn_hidden_size": 32}  # fmt: skip
    return transformers.EdgeTamModel(
        transformers.EdgeTamConfig(vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
    )


SIDE_3 = 112
"""Of the tiny SAM 3: 8 x 8 patches of 14 pixels."""
VISION_3 = {
    "backbone_config": {"model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 48,
                        "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE_3, "patch_size": 14,
                        "window_size": 4, "global_attn_indexes": [1], "pretrain_image_size": 56},
    "fpn_hidden_size": 32, "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
}  # fmt: skip
LAYERS = {"hidden_size": 32, "num_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
DETECTOR = {
    "vision_config": VISION_3,
    "text_config": {"model_type": "clip_text_model", "vocab_size": 600, "hidden_size": 32, "intermediate_size": 32,
                    "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 32,
                    "projection_dim": 16, "eos_token_id": 513, "bos_token_id": 512, "pad_token_id": 513},
    "geometry_encoder_config": LAYERS, "detr_encoder_config": LAYERS,
    "detr_decoder_config": LAYERS | {"num_queries": 7},
    "mask_decoder_config": {"hidden_size": 32, "num_attention_heads": 2},
}  # fmt: skip
PROMPTS_3 = {"hidden_size": 32, "image_size": SIDE_3, "patch_size": 14, "mask_input_channels": 4}


def sam3() -> Any:
    return transformers.Sam3Model(transformers.Sam3Config(**DETECTOR))


def sam3_tracker() -> Any:
    return transformers.Sam3TrackerModel(
        transformers.Sam3TrackerConfig(
            vision_config=VISION_3, prompt_encoder_config=PROMPTS_3, mask_decoder_config=DECODER
        )
    )


def sam3_video() -> Any:
    """As in the published repository: the detector and the tracker behind one encoder."""
    tracker = {
        "vision_config": VISION_3, "prompt_encoder_config": PROMPTS_3, "mask_decoder_config": DECODER,
        "image_size": SIDE_3, "memory_attention_hidden_size": 32, "memory_encoder_hidden_size": 32,
    }  # fmt: skip
    return transformers.Sam3VideoModel(
        transformers.Sam3VideoConfig(detector_config=DETECTOR, tracker_config=tracker, low_res_mask_size=32)
    )


def tokenizer() -> Any:
    """A tokenizer like CLIP's that knows single bytes alone."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    bytes_ = list(bytes_to_unicode().values())
    vocabulary = [*bytes_, *(byte + "</w>" for byte in bytes_), "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(vocab={word: k for k, word in enumerate(vocabulary)}, merges=[])


MODELS = {
    "sam": sam, "sam_hq": sam_hq, "sam2": sam2, "edgetam": edgetam,
    "sam3": sam3, "sam3_tracker": sam3_tracker, "sam3_video": sam3_video,
}  # fmt: skip
CLICKED = ("sam", "sam_hq", "sam2", "edgetam", "sam3_tracker")
"""Those that one model of transformers answers clicks with."""


def processor(model_type: str) -> Any:
    """transformers' own processor for the tiny model of that type."""
    square = {"height": SIDE, "width": SIDE}
    if model_type in ("sam", "sam_hq"):
        images = transformers.SamImageProcessor(size={"longest_edge": SIDE}, pad_size=square)
        return (transformers.SamProcessor if model_type == "sam" else transformers.SamHQProcessor)(images)
    if model_type.startswith("sam3"):
        images = transformers.Sam3ImageProcessor(size={"height": SIDE_3, "width": SIDE_3})
        if model_type == "sam3_tracker":
            return transformers.Sam3TrackerProcessor(images)
        return transformers.Sam3Processor(images, tokenizer())
    return transformers.Sam2Processor(transformers.Sam2ImageProcessor(size=square))


def save(model_type: str, folder: Path) -> tuple[Any, Any]:
    """(model, processor), saved in `folder` as transformers saves them."""
    model, ready = make(model_type), processor(model_type)
    model.save_pretrained(folder)
    ready.save_pretrained(folder)
    return model, ready
