"""Draw docs/images/architecture.svg, the picture of the house, from the imports of the code.

python docs/make_architecture.py

A row is a layer of the rules in pyproject.toml; a line goes from what imports to what is imported. Lines that follow
from others are left out, and so are those to the ground, which everything stands on.
"""

import re
import textwrap
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/architecture.svg"

WIDTH, MARGIN, GAP, ROW_GAP = 1280, 16, 24, 48
LINE, PADDING, LETTER = 16, 12, 6.3
COLUMNS = 46
"""Letters in a line of a box at most."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8c564b", "#7f7fff")

STYLE = """
  .box { fill: #ffffff; stroke: #6b7280; }
  .name { font: 600 14px system-ui, sans-serif; fill: #111827; }
  .parts { font: 11px ui-monospace, monospace; fill: #4b5563; }
  .note { font: 12px system-ui, sans-serif; fill: #4b5563; }
  .line { fill: none; stroke-width: 1.5; opacity: 0.8; }
  .wire { fill: none; stroke: #6b7280; stroke-dasharray: 4 4; }
  .band { fill: #f3f4f6; }
  @media (prefers-color-scheme: dark) {
    .box { fill: #1f2937; stroke: #9ca3af; }
    .name { fill: #f9fafb; }
    .parts, .note { fill: #d1d5db; }
    .band { fill: #111827; }
  }
"""

IMPORT = re.compile(r'^(?:import|export)\b[^;]*?from "([^"]+)"', re.MULTILINE)


@dataclass
class Room:
    """A box: a module of textseg, a folder of the pages, or the trainer."""

    name: str
    parts: list[str]
    knows: set[str] = field(default_factory=set)
    x: float = 0
    y: float = 0

    @property
    def lines(self) -> list[str]:
        return textwrap.wrap(" ".join(self.parts), COLUMNS)

    @property
    def width(self) -> float:
        return 2 * PADDING + max(9 * len(self.name), LETTER * max(map(len, self.lines), default=0) * 1.06)

    @property
    def height(self) -> float:
        return 2 * PADDING + LINE * (1 + len(self.lines)) - 4


def rows() -> list[list[Room]]:
    """The rooms, layer by layer from the top, with what each imports."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [re.findall(r"\w+", layer) for layer in rules[0]["layers"]]
    below_web = next(k for k, layer in enumerate(layers) if "web" in layer) + 1
    layers[below_web].append("trainer")
    python = {name: Room(name, python_parts(name)) for layer in layers for name in layer}
    graph = grimp.build_graph("textseg", "trainer", exclude_type_checking_imports=True)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            room, other = room_of(module), room_of(imported)
            if room in python and other in python and room != other:
                python[room].knows.add(other)
    pages = page_rooms()
    tops = [room for room in pages if room.name.removeprefix("assets/web/") not in ("canvas", "shared")]
    bottoms = [room for room in pages if room not in tops]
    ordered = [tops, bottoms, *[[python[name] for name in layer] for layer in layers]]
    return [layer for layer in ordered if layer]


def room_of(module: str) -> str:
    first, _, rest = module.partition(".")
    return "trainer" if first == "trainer" else rest.partition(".")[0]


def python_parts(name: str) -> list[str]:
    """The modules in a package, by name; none for a single file."""
    folder = ROOT / "trainer" if name == "trainer" else ROOT / "textseg" / name
    if not folder.is_dir():
        return []
    found = [p.stem for p in folder.glob("*.py")] + [f"{p.parent.name}/" for p in folder.glob("*/__init__.py")]
    return sorted(part for part in found if part != "__init__")


def page_rooms() -> list[Room]:
    """The folders of the pages' JavaScript, with what each imports."""
    web = ROOT / "assets/web"
    rooms = []
    for folder in sorted(path for path in web.iterdir() if path.is_dir()):
        files = sorted(folder.rglob("*.js"))
        parts = sorted(
            {path.stem if path.parent == folder else f"{path.relative_to(folder).parts[0]}/" for path in files}
        )
        room = Room(f"assets/web/{folder.name}", parts)
        for path in files:
            for target in re.findall(
                r'^(?:import|export)\b[^;]*?from "([^"]+)"', path.read_text("utf-8"), re.MULTILINE
            ):
                other = (path.parent / target).resolve().relative_to(web.resolve()).parts[0]
                if other != folder.name:
                    room.knows.add(f"assets/web/{other}")
        rooms.append(room)
    return rooms


def reduced(layers: list[list[Room]]) -> list[tuple[Room, Room]]:
    """(room, room it knows) without those that follow from others, and without those to the ground."""
    rooms = {room.name: room for layer in layers for room in layer}
    ground = {room.name for room in layers[-1]}

    def reached(name: str) -> set[str]:
        below = set(rooms[name].knows)
        return below.union(*(reached(other) for other in below))

    return [
        (room, rooms[other])
        for room in rooms.values()
        for other in sorted(room.knows - ground)
        if not any(other in reached(between) for between in room.knows - {other})
    ]


def place(layers: list[list[Room]]) -> float:
    """Give each room its place; returns the height of the picture."""
    y = float(MARGIN)
    for layer in layers:
        total = sum(room.width for room in layer) + GAP * (len(layer) - 1)
        x = (WIDTH - total) / 2
        for room in layer:
            room.x, room.y = x, y
            x += room.width + GAP
        y += max(room.height for room in layer) + ROW_GAP
    return y


def draw() -> str:
    """The picture as SVG."""
    layers = rows()
    height = place(layers)
    body = []
    for number, layer in enumerate(layers):
        top, tall = layer[0].y - 14, max(room.height for room in layer) + 28
        if number % 2 == 0:
            body.append(f'<rect class="band" x="0" y="{top:.0f}" width="{WIDTH}" height="{tall:.0f}"/>')
    rooms = {room.name: room for layer in layers for room in layer}
    body += lines(reduced(layers), [*rooms])
    body += wire(rooms["assets/web/shared"], rooms["web"])
    body += [drawn(room) for room in rooms.values()]
    ground = layers[-1][-1]
    x, y = ground.x + ground.width + GAP, ground.y + 24
    body.append(f'<text class="note" x="{x:.0f}" y="{y:.0f}">every room may use these</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
        f"<title>The rooms of textseg and who knows whom</title><style>{STYLE}</style>\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def lines(edges: list[tuple[Room, Room]], names: list[str]) -> list[str]:
    """A curve for each edge, from the bottom of one room to the top of the other, or from side to side."""
    drawn = []
    for room, other in edges:
        colour = COLOURS[names.index(room.name) % len(COLOURS)]
        if room.y == other.y:
            rightward = room.x < other.x
            x0, x1 = (room.x + room.width, other.x) if rightward else (room.x, other.x + other.width)
            y0 = y1 = min(room.height, other.height) / 2 + room.y
            path = f"M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}"
        else:
            x0 = share(room, other, [b for a, b in edges if a is room and a.y != b.y])
            x1 = share(other, room, [a for a, b in edges if b is other and a.y != b.y])
            y0, y1 = room.y + room.height, other.y
            bend = max(24.0, (y1 - y0) / 2)
            path = f"M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
        drawn.append(f'<path class="line" d="{path}" stroke="{colour}"/>')
        drawn.append(f'<circle cx="{x1:.0f}" cy="{y1:.0f}" r="3" fill="{colour}"/>')
    return drawn


def share(room: Room, other: Room, others: list[Room]) -> float:
    """Where along the room's edge the line to `other` begins: lines leave in the order of where they go."""
    order = sorted(others, key=lambda one: one.x + one.width / 2)
    return room.x + room.width * (1 + order.index(other)) / (1 + len(order))


def wire(page: Room, server: Room) -> list[str]:
    """What is no import: the pages' messages."""
    x0, y0 = page.x + page.width - 24, page.y + page.height
    x1, y1 = server.x + 24, server.y
    side = server.x - 40
    path = f"M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + 40:.0f} {side:.0f} {y0 + 20:.0f} {side:.0f} {y0 + 60:.0f}"
    path += f"L{side:.0f} {y1 - 50:.0f}C{side:.0f} {y1 - 20:.0f} {x1:.0f} {y1 - 40:.0f} {x1:.0f} {y1:.0f}"
    return [
        f'<path class="wire" d="{path}"/>',
        f'<text class="note" text-anchor="end" x="{side - 8:.0f}" y="{(y0 + y1) / 2:.0f}">messages over HTTP</text>',
    ]


def drawn(room: Room) -> str:
    x, y = room.x + PADDING, room.y + PADDING + 8
    texts = [f'<text class="name" x="{x:.0f}" y="{y:.0f}">{escape(room.name)}</text>']
    for number, line in enumerate(room.lines, start=1):
        texts.append(f'<text class="parts" x="{x:.0f}" y="{y + LINE * number:.0f}">{escape(line)}</text>')
    box = f'x="{room.x:.0f}" y="{room.y:.0f}" width="{room.width:.0f}" height="{room.height:.0f}"'
    return f'<rect class="box" rx="8" {box}/>' + "".join(texts)


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
    print(f"{PICTURE.relative_to(ROOT)} is drawn.")
