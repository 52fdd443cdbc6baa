"""Small data sets laid out as the big tools export them, for the tests of what reads them and for the fuzzer.

Each builder fills a folder and answers (the format, the names of its photos); every photo has 200 pixels of a cat.
"""

import base64
import io
import json
import zlib

import numpy as np
from PIL import Image

from tests.tiny import noise_photo
from textseg.formats.devkit import palette

SIZE = (40, 20)
BOX = np.zeros(SIZE[::-1], np.uint8)
BOX[5:15, 10:30] = 1
"""200 pixels."""
CORNERS = [[10, 5], [30, 5], [30, 15], [10, 15]]


def photo(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise_photo(*SIZE, seed=seed).save(path)


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        Image.fromarray(content.astype(np.uint8)).save(path)
    elif isinstance(content, Image.Image):
        content.save(path)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def yolo_line(number=1):
    return f"{number} " + " ".join(f"{x / 40} {y / 20}" for x, y in CORNERS) + "\n"


def flat(corners=CORNERS):
    return [value for corner in corners for value in corner]


def roboflow_yolo(folder):
    for split in ("train", "valid"):
        photo(folder / split / "images" / f"{split}_jpg.rf.1a2b.jpg", ord(split[0]))
        save(folder / split / "labels" / f"{split}_jpg.rf.1a2b.txt", yolo_line())
    save(folder / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
         "names: ['dog', 'cat']\n\nroboflow:\n  workspace: me\n")  # fmt: skip
    save(folder / "README.roboflow.txt", "exported")
    return "yolo", ["train_jpg.rf.1a2b.jpg", "valid_jpg.rf.1a2b.jpg"]


def roboflow_coco(folder):
    for number, split in enumerate(("train", "valid")):
        photo(folder / split / f"{split}.jpg", number)
        save(folder / split / "_annotations.coco.json", coco(f"{split}.jpg"))
    return "coco", ["train.jpg", "valid.jpg"]


def coco(name, segmentation=None, **image):
    animals = {"id": 0, "name": "animals", "supercategory": "none"}
    annotation = {"id": 1, "image_id": 1, "category_id": 2, "bbox": [10, 5, 20, 10], "area": 200, "iscrowd": 0}
    return {
        "info": {}, "licenses": [], "images": [{"id": 1, "file_name": name, "width": 40, "height": 20, **image}],
        "annotations": [annotation | {"segmentation": segmentation or [flat()]}],
        "categories": [animals, {"id": 2, "name": "cat", "supercategory": "animals"}],
    }  # fmt: skip


def roboflow_masks(folder):
    for split in ("train", "valid"):
        photo(folder / split / f"{split}.jpg", ord(split[0]))
        save(folder / split / f"{split}_mask.png", BOX * 2)
        save(folder / split / "_classes.csv", "Pixel Value, Class\n0, background\n1, dog\n2, cat\n")
    return "png", ["train.jpg", "valid.jpg"]


def ultralytics_lists(folder):
    photo(folder / "images" / "train2017" / "a.jpg")
    save(folder / "labels" / "train2017" / "a.txt", yolo_line())
    save(folder / "train2017.txt", "./images/train2017/a.jpg\n")
    yaml = (
        "path: ../datasets/coco # dataset root\ntrain: train2017.txt\nval: [val2017.txt]\nnames:\n  0: dog\n  1: cat\n"
    )
    save(folder / "coco-seg.yaml", yaml)
    return "yolo", ["a.jpg"]


def label_studio_yolo(folder):
    photo(folder / "images" / "1a2b-a.jpg")
    save(folder / "labels" / "1a2b-a.txt", yolo_line())
    save(folder / "classes.txt", "dog\ncat\n")
    save(folder / "notes.json", {"categories": [{"id": 0, "name": "dog"}], "info": {}})
    return "yolo", ["1a2b-a.jpg"]


def label_studio_coco(folder):
    photo(folder / "images" / "a.jpg")
    save(folder / "result.json", coco("../../label-studio/data/media/upload/1/a.jpg"))
    return "coco", ["a.jpg"]


def brush(mask):
    """As Label Studio writes it: one run for each stretch of equal pixels, here of four values each."""
    flat = np.repeat(mask.ravel() * 255, 4)
    bits = f"{len(flat):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    edges = [0, *(np.flatnonzero(np.diff(flat.astype(int))) + 1), len(flat)]
    for begin, end in zip(edges, edges[1:], strict=False):
        bits += f"1{3:02b}{end - begin - 1:016b}{int(flat[begin]):08b}"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]


def label_studio_tasks(folder):
    photo(folder / "a.jpg")
    half = BOX.copy()
    half[:, 20:] = 0
    percent = [[100 * x / 40, 100 * y / 20] for x, y in [[20, 5], [30, 5], [30, 15], [20, 15]]]
    size = {"original_width": 40, "original_height": 20}
    result = [
        {"type": "brushlabels", **size, "value": {"format": "rle", "rle": brush(half), "brushlabels": ["cat"]}},
        {"type": "polygonlabels", **size, "value": {"points": percent, "polygonlabels": ["cat"]}},
        {"type": "choices", "value": {"choices": ["blurred"]}},
    ]
    task = {"id": 7, "data": {"image": "/data/upload/1/a.jpg", "note": "x"}, "annotations": [{"result": result}]}
    save(folder / "project-1.json", [task])
    return "labelstudio", ["a.jpg"]


def fiftyone_coco(folder):
    photo(folder / "data" / "a.jpg")
    save(folder / "labels.json", coco("a.jpg"))
    return "coco", ["a.jpg"]


def detectron_coco(folder):
    photo(folder / "train2017" / "a.jpg")
    save(folder / "annotations" / "instances_train2017.json", coco("a.jpg", coco_url="http://127.0.0.1:9/a.jpg"))
    return "coco", ["a.jpg"]


def cvat_without_sets(folder):
    photo(folder / "JPEGImages" / "sub" / "a.jpg")
    save(folder / "SegmentationClass" / "sub" / "a.png", BOX * 255)
    save(folder / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:255,255,255::\n")
    return "cvat", ["a.jpg"]


def voc_in_colours(folder):
    photo(folder / "VOCdevkit" / "VOC2012" / "JPEGImages" / "a.jpg")
    colours = np.array(palette(), np.uint8)[BOX * 8]  # 8: cat
    colours[0, 0] = (224, 224, 192)
    save(folder / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "a.png", colours)
    save(folder / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "train.txt", "a\nnot_there\n")
    return "voc", ["a.jpg"]


def labelme_to_voc(folder):
    photo(folder / "JPEGImages" / "a.jpg")
    save(folder / "SegmentationClassPNG" / "a.png", BOX * 2)
    save(folder / "class_names.txt", "_background_\ndog\ncat\n")
    return "voc", ["a.jpg"]


def cityscapes(folder):
    for city in ("bonn", "jena"):
        stem = f"{city}_000000_000019"
        photo(folder / "leftImg8bit" / "train" / city / f"{stem}_leftImg8bit.png", ord(city[0]))
        save(folder / "gtFine" / "train" / city / f"{stem}_gtFine_labelIds.png", np.where(BOX, 26, 3))
        save(folder / "gtFine" / "train" / city / f"{stem}_gtFine_color.png", BOX)
    return "cityscapes", ["bonn_000000_000019_leftImg8bit.png", "jena_000000_000019_leftImg8bit.png"]


def ade20k(folder):
    photo(folder / "images" / "training" / "ADE_train_00000001.jpg")
    save(folder / "annotations" / "training" / "ADE_train_00000001.png", BOX * 2)
    save(
        folder / "objectInfo150.txt",
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t1\t1\t1\twall\n2\t0.1\t1\t1\t0\tcat, kitten\n",
    )
    save(folder / "sceneCategories.txt", "ADE_train_00000001 bathroom\n")
    return "ade20k", ["ADE_train_00000001.jpg"]


def ade20k_without_list(folder):
    photo(folder / "ADEChallengeData2016" / "images" / "training" / "ADE_train_00000001.jpg")
    label = folder / "ADEChallengeData2016" / "annotations" / "training" / "ADE_train_00000001.png"
    save(label, BOX * 21)  # 21: car
    return "ade20k", ["ADE_train_00000001.jpg"]


def label_studio_short(folder):
    """JSON-MIN: results in fields that are called like the labels."""
    photo(folder / "a.jpg")
    code = {"format": "rle", "rle": brush(BOX), "brushlabels": ["cat"], "original_width": 40, "original_height": 20}
    task = {"image": "/data/upload/1/a.jpg", "id": 1, "tag": [code], "annotator": 1, "choice": ["x"]}
    save(folder / "project-min.json", [task])
    return "labelstudio", ["a.jpg"]


def ade20k_whole(folder):
    place = folder / "images" / "ADE" / "training" / "home"
    photo(place / "ADE_train_00000001.jpg")
    seg = np.zeros((*SIZE[::-1], 3), np.uint8)
    seg[BOX > 0] = (10, 44, 7)
    save(place / "ADE_train_00000001_seg.png", seg)
    thing = {"id": 0, "name": "cat, kitten", "name_ndx": 300}
    save(place / "ADE_train_00000001.json", {"annotation": {"filename": "x", "object": [thing]}})
    return "ade20k", ["ADE_train_00000001.jpg"]


def mapillary(folder):
    photo(folder / "training" / "images" / "a.jpg")
    index = Image.fromarray(BOX)
    index.putpalette([0, 0, 0, 255, 0, 0])
    save(folder / "training" / "v2.0" / "labels" / "a.png", index)
    labels = [
        {"name": "void--unlabeled", "readable": "Unlabeled", "color": [0, 0, 0]},
        {"name": "animal--cat", "readable": "cat", "color": [9, 8, 7]},
    ]
    save(folder / "config_v2.0.json", {"labels": labels, "version": "2.0"})
    return "mapillary", ["a.jpg"]


def supervisely(folder):
    photo(folder / "ds0" / "img" / "a.jpg")
    buffer = io.BytesIO()
    Image.fromarray(np.ones((10, 10), bool)).save(buffer, "PNG")
    mask = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
    right = [[20, 5], [30, 5], [30, 15], [20, 15]]
    objects = [
        {"classTitle": "cat", "geometryType": "bitmap", "bitmap": {"data": mask, "origin": [10, 5]}},
        {"classTitle": "cat", "geometryType": "polygon", "points": {"exterior": right, "interior": []}},
        {"classTitle": "dog", "geometryType": "point", "points": {"exterior": [[1, 1]], "interior": []}},
    ]
    save(folder / "ds0" / "ann" / "a.jpg.json", {"size": {"width": 40, "height": 20}, "objects": objects, "tags": []})
    classes = [{"title": name, "shape": "any", "color": "#1a2b3c"} for name in ("dog", "cat")]
    save(folder / "meta.json", {"classes": classes, "tags": []})
    return "supervisely", ["a.jpg"]


def via(folder):
    photo(folder / "a.jpg")
    drawn = {"name": "polygon", "all_points_x": [x for x, _ in CORNERS], "all_points_y": [y for _, y in CORNERS]}
    region = {"shape_attributes": drawn, "region_attributes": {"name": "cat", "type": "x"}}
    save(folder / "via_region_data.json", {"a.jpg123": {"filename": "a.jpg", "size": 123, "regions": [region]}})
    return "via", ["a.jpg"]


def cvat_xml(folder):
    photo(folder / "images" / "sub" / "a.jpg")
    half = "0, 50, 50, 50, 50"
    image = f"""<image id="0" name="sub/a.jpg" width="40" height="20">
      <polygon label="dog" points="10,5;30,5;30,15;10,15" z_order="0"/>
      <polygon label="cat" source="manual" points="10.00,5.00;30.00,5.00;30.00,15.00;10.00,15.00" z_order="1">
        <attribute name="breed">x</attribute></polygon>
      <mask label="cat" rle="{half}" left="10" top="5" width="20" height="10" z_order="2"/>
      <box label="dog" xtl="1" ytl="1" xbr="4" ybr="4" z_order="3"/></image>"""
    labels = "".join(f"<label><name>{name}</name><color>#1a2b3c</color></label>" for name in ("dog", "cat"))
    meta = f"<version>1.1</version><meta><job><labels>{labels}</labels></job></meta>"
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{meta}{image}</annotations>'
    save(folder / "annotations.xml", text)
    return "cvat-xml", ["a.jpg"]


SETS = [
    roboflow_yolo, roboflow_coco, roboflow_masks, ultralytics_lists, label_studio_yolo, label_studio_coco,
    label_studio_tasks, fiftyone_coco, detectron_coco, cvat_without_sets, voc_in_colours, labelme_to_voc, cityscapes,
    label_studio_short, ade20k_without_list, ade20k, ade20k_whole, mapillary, supervisely, via, cvat_xml,
]  # fmt: skip
