"""Which words the model is said not to know: false alarms on English words, and how much of the rest is noticed.

    PYTHONPATH=. python benchmarks/unknown_words.py [--data ../shared/data] [--alike 0.4] [--list NAME=FILE ...]

`--data` adds the class names of voc-eval and coco-eval (171), `--list` English words of a file, one a line.
"""

import argparse
import random
from pathlib import Path

import textseg
from textseg.model import known, others
from textseg.vocabulary import Vocabulary

ENGLISH = """
coffee cup, traffic light, ipod, iphone, teddy bear, hot dog, fire hydrant, wine glass, baseball bat, stop
sign, parking meter, potted plant, dining table, tennis racket, cell phone, hair drier, living room, car door,
dog collar, cat's eye, man with a hat, red car, blue sky, person riding a horse, woman's face, snowboarder,
skateboarder, selfie stick, macbook, lego, frisbee, barbecue, bbq, tv, tv screen, pc, laptop, usb stick,
t-shirt, tshirt, hoodie, sneakers, jeans, sunglasses, lipstick, taxi cab, suv, pickup truck, minivan, tesla,
coca cola, pepsi can, pizza slice, french fries, cheeseburger, sushi, taco, avocado toast, croissant, kebab,
ramen, latte, cappuccino, espresso machine, ukulele, drone, smartwatch, airpods, playstation, xbox controller,
nintendo switch, e-scooter, e-bike, mountain bike, ferris wheel, hot-air balloon, windmill, wind turbine,
solar panel, corgi, labrador, golden retriever, shiba inu, poodle, tabby cat, maine coon, hummingbird,
ladybug, dragonfly, jellyfish, seahorse, goldfish, koi, lavender, sunflower, dandelion, cactus, bonsai, palm
tree, grass, gravel, asphalt, cobblestone, whiteboard, lightbulb, doorknob, dishwasher, microwave oven, shower
curtain, toothbrush, kids, grandma, bridesmaid, firefighter, cop, santa claus, wheelchair, tattoo, graffiti,
bokeh, post-it note, stroller, sippy cup, ziplock bag, crocs, flip flops, rollerblades, kayak, paddleboard,
jetski, surfboard, volleyball net, scoreboard, jumbotron, billboard, manhole cover, crosswalk, zebra crossing,
roundabout, speedometer, license plate, number plate, hubcap, anemone, hedgehog, axolotl, capybara, quokka,
tyrannosaurus, quinoa, boba tea, matcha, guacamole, hummus, baklava, pokemon, pikachu, spiderman, minion,
hijab, sari, kimono, turban, sombrero, selfie, emoji, hashtag, wifi router, ipad, kindle, vespa, harley
davidson, ikea shelf, gopro, golden gate bridge, eiffel tower
"""
"""Compounds, brands and young words, the hard ones."""

LANGUAGES = {
    "German": """
Hund, Katze, Pferd, Vogel, Baum, Haus, Tisch, Stuhl, Fenster, Tür, Auto, Fahrrad, Flugzeug, Schiff, Straße,
Himmel, Wolke, Berg, Wiese, Blume, Mensch, Mann, Frau, Kind, Hand, Kopf, Flasche, Tasse, Teller, Messer,
Gabel, Löffel, Brot, Apfel, Käse, Milch, Schaf, Kuh, Huhn, Ente, Fisch, Schrank, Bett, Lampe, Uhr, Buch,
Zeitung, Bildschirm, Schnee, Wasser, Gras, Sand, Feuer, Regenschirm, Rucksack, Koffer, Ampel, Zug, Brücke,
Mauer
""",
    "Spanish": """
perro, gato, caballo, pájaro, árbol, casa, mesa, silla, ventana, puerta, coche, bicicleta, avión, barco,
calle, cielo, nube, montaña, prado, flor, persona, hombre, mujer, niño, mano, cabeza, botella, taza, plato,
cuchillo, tenedor, cuchara, pan, manzana, queso, leche, oveja, vaca, gallina, pato, pez, armario, cama,
lámpara, reloj, libro, periódico, pantalla, nieve, agua, hierba, arena, fuego, paraguas, mochila, maleta,
semáforo, tren, puente, muro
""",
    "French": """
chien, chat, cheval, oiseau, arbre, maison, table, chaise, fenêtre, porte, voiture, vélo, avion, bateau, rue,
ciel, nuage, montagne, prairie, fleur, personne, homme, femme, enfant, main, tête, bouteille, tasse, assiette,
couteau, fourchette, cuillère, pain, pomme, fromage, lait, mouton, vache, poule, canard, poisson, armoire,
lit, lampe, horloge, livre, journal, écran, neige, eau, herbe, sable, feu, parapluie, cartable, valise, feu de
circulation, train, pont, mur
""",
    "Italian": """
cane, gatto, cavallo, uccello, albero, casa, tavolo, sedia, finestra, porta, macchina, bicicletta, aereo,
nave, strada, cielo, nuvola, montagna, prato, fiore, persona, uomo, donna, bambino, mano, testa, bottiglia,
tazza, piatto, coltello, forchetta, cucchiaio, pane, mela, formaggio, latte, pecora, mucca, gallina, anatra,
pesce, armadio, letto, lampada, orologio, libro, giornale, schermo, neve, acqua, erba, sabbia, fuoco,
ombrello, zaino, valigia, semaforo, treno, ponte, muro
""",
    "Polish": """
pies, kot, koń, ptak, drzewo, dom, stół, krzesło, okno, drzwi, samochód, rower, samolot, statek, ulica, niebo,
chmura, góra, łąka, kwiat, człowiek, mężczyzna, kobieta, dziecko, ręka, głowa, butelka, kubek, talerz, nóż,
widelec, łyżka, chleb, jabłko, ser, mleko, owca, krowa, kura, kaczka, ryba, szafa, łóżko, lampa, zegar,
książka, gazeta, ekran, śnieg, woda, trawa, piasek, ogień, parasol, plecak, walizka, sygnalizacja, pociąg,
most, ściana
""",
    "Dutch": """
hond, kat, paard, vogel, boom, huis, tafel, stoel, raam, deur, auto, fiets, vliegtuig, schip, straat, lucht,
wolk, berg, weide, bloem, mens, man, vrouw, kind, hand, hoofd, fles, kopje, bord, mes, vork, lepel, brood,
appel, kaas, melk, schaap, koe, kip, eend, vis, kast, bed, lamp, klok, boek, krant, scherm, sneeuw, water,
gras, zand, vuur, paraplu, rugzak, koffer, stoplicht, trein, brug, muur
""",
    "Russian": """
собака, кошка, лошадь, птица, дерево, дом, стол, стул, окно, дверь, машина, велосипед, самолёт, корабль,
улица, небо, облако, гора, луг, цветок, человек, мужчина, женщина, ребёнок, рука, голова, бутылка, чашка,
тарелка, нож, вилка, ложка, хлеб, яблоко, сыр, молоко, овца, корова, курица, утка
""",
    "Chinese": """
狗, 猫, 马, 鸟, 树, 房子, 桌子, 椅子, 窗户, 门, 汽车, 自行车, 飞机, 船, 街道, 天空,
云, 山, 草地, 花, 人, 男人, 女人, 孩子, 手, 头, 瓶子, 杯子, 盘子, 刀
""",
}
"""About sixty everyday things a language; some are spelt as an English word is (hand, table, pan)."""

NONSENSE = """
blorft, xqzzt, asdfgh, qwertz, wug, florp, glimber, snarfle, zorbtron, blicket, dax, toma, frobnitz, vexil,
jklö, aaaaa, hjkl, foobar, lorem, kjsdhf, zzz, qwe, trunfle, splonk, mimsy, borogove, jubjub, gribbet, flumox,
quibbery, abcdef, sdfsdf, test123, xyz, blah, tove, narble, wibbish, plinth0, brillig
"""

TYPOS = """
elefant, zeebra, girafe, bycicle, motorbyke, umberella, scisors, refridgerator, brocolli, sandwhich, buterfly,
aeroplain, labtop, keybord, toiler, surfbord, skatebord, snowbord, baloon, camara, hourse, mirrow, tabel,
windo, piza, bannana, tomatoe, pengin, dolfin, rabit, squirel, crocodyle, tortois, lepard, racoon, peacok,
ostritch, pidgeon, segull, lobstre
"""

ONSETS = tuple("bdfgklmnpstvwzjhx") + ("bl", "br", "dr", "fl", "gr", "pl", "qu", "sch", "sk", "sn", "st", "tr")
CODAS = ("", "", "n", "r", "rt", "ft", "sh", "m", "x", "p", "ck", "lb", "nd", "zz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of voc-eval and coco-eval")
    parser.add_argument("--alike", type=float, default=known.ALIKE)
    parser.add_argument("--list", nargs="*", default=[], metavar="NAME=FILE", help="more English words, one a line")
    args = parser.parse_args()
    known.ALIKE = args.alike
    model = textseg.load_model("lite")
    english = {"compounds and brands": parts(ENGLISH)}
    if args.data:
        english["classes of voc-eval and coco-eval"] = classes(args.data)
    nouns = list(others.shipped_nouns())
    english |= {"the 1,000 nouns": nouns[:1000], "the other shipped nouns": nouns[1000:]}
    for name, _, path in (given.partition("=") for given in args.list):
        english[name] = [line.strip() for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    rest = {name: parts(words) for name, words in LANGUAGES.items()}
    rest |= {"nonsense": parts(NONSENSE), "syllables": syllables(), "keys": keys(), "slips": parts(TYPOS)}
    for name, words in (english | rest).items():
        words = list(dict.fromkeys(words))
        strange = [word for at in range(0, len(words), 500) for word in unknown(model, words[at : at + 500])]
        told = strange if name in english else [word for word in words if word not in strange]
        kind = "wrongly" if name in english else "not"
        print(f"{name}: {len(strange)} of {len(words)} said to be unknown; {kind}: {', '.join(told[:40])}")


def unknown(model: textseg.Model, words: list[str]) -> list[str]:
    return known.unknown(model, Vocabulary.from_names(words))


def parts(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", " ").split(",") if part.strip()]


def classes(folder: Path) -> list[str]:
    files = [folder / "voc-eval/classes.txt", folder / "coco-eval/classes.txt", folder / "coco-eval/classes171.txt"]
    rows = [line.split("\t") for file in files for line in file.read_text("utf-8").splitlines()]
    return [row[-1] for row in rows if row[-1] not in ("-", "background")]


def syllables(count: int = 150) -> list[str]:
    chance = random.Random(0)

    def syllable() -> str:
        return chance.choice(ONSETS) + chance.choice("aeiou") + chance.choice(CODAS)

    return ["".join(syllable() for _ in range(chance.choice([2, 3]))) for _ in range(count)]


def keys(count: int = 100) -> list[str]:
    chance = random.Random(1)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(4, 8))) for _ in range(count)]


if __name__ == "__main__":
    main()
