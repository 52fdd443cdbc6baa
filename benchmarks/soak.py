"""Memory over many photos: open, everything, a prompt, pseudo-labels; prints the resident set every 50 photos.

    python benchmarks/soak.py FOLDER [--photos 300] [--model lite]

The folder's photos are taken round and round. Without --model only `regions` runs.
"""

import argparse
import itertools
import os
from pathlib import Path

from textseg import images, load_model, load_proposer
from textseg.pseudolabel import label_regions
from textseg.vocabulary import Vocabulary

WORDS = "person, animal, vehicle, furniture, building, tree, grass, sky, wall, floor, water, road"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--model")
    args = parser.parse_args()
    proposer, vocabulary = load_proposer("regions"), Vocabulary.parse(WORDS)
    model = load_model(args.model) if args.model else None
    paths = itertools.islice(itertools.cycle(images.find([args.folder])), args.photos)
    for done, path in enumerate(paths, start=1):
        photo = images.open(path)
        scene = model.encode(photo) if model else None
        opened = proposer.open(photo, scene)
        masks = opened.everything()
        opened.prompt([(photo.width // 2, photo.height // 2, 1)])
        if scene:
            label_regions(scene, vocabulary, opened).paint()
        if done == 1 or done % 50 == 0:
            print(f"{done:4d} photos  {resident():7.1f} MiB  {len(masks)} masks", flush=True)


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
