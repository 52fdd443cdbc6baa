"""The words that the pages show: in their markup, and in what their scripts say through `t`."""

import re
from html.parser import HTMLParser
from pathlib import Path

WEB = Path(__file__).parents[1] / "assets/web"
ENTRY = re.compile(r'^  (?:"((?:[^"\\]|\\.)+)"|(\w+)):\s+"((?:[^"\\]|\\.)*)",$', re.MULTILINE)

NAMED = ("aria-label", "title", "placeholder")
NO_WORDS = re.compile(r"[\W\d_]*")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.code = 0

    def take(self, text: str | None) -> None:
        text = " ".join((text or "").split())
        if not NO_WORDS.fullmatch(text) and text not in self.found:
            self.found.append(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.code += tag in ("code", "pre")
        for name, value in attributes:
            if name in NAMED:
                self.take(value)

    def handle_endtag(self, tag: str) -> None:
        self.code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.take(data)


def in_markup(html: str) -> list[str]:
    """Each text and each name that a page's markup shows, as `assets/web/shared/language.js` looks it up."""
    words = _Words()
    words.feed(html)
    return words.found


LITERAL = r'"(?:[^"\\\n]|\\.)*"'
SAID = re.compile(rf"\bt\(\s*({LITERAL})|\b(?:plural|fact)\(\s*[^\"]*?({LITERAL}),\s*({LITERAL})")
COMMENT = re.compile(r"/\*.*?\*/|(?<=\s)//[^\n]*|^//[^\n]*", re.DOTALL | re.MULTILINE)
TEXT = re.compile(rf"{LITERAL}|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`", re.DOTALL)
NO_TEXT = re.compile(
    r"(\bfrom|\bimport|Error\(|\bclass:|\bclassName =|\bkeys: \[.*|\b(Selector|closest|matches|matchMedia)\w*\()\s*$"
)
"""What stands before a literal that nobody reads: a module, a failure of the program, names of styles and of keys."""
PHRASE = re.compile(r"[A-Z][a-z]+([ .,:;?!]|$)|[a-z]{2,} [a-z]{2,}|^[ ,:]+[a-z]{2,}")
MEANT = re.compile(
    r"Enter|Escape|Backspace|Home|End|Tab|Files|Shift|Control|NotAllowedError"  # names of the browser
    r"|Esc|Ctrl|(Thumbs)?\.(db|DS_Store)|English|Deutsch|.* min"
    r"|[\w-]+(\.[\w-]+)+|[a-z]+[A-Z]\w*|:\w.*|in work|to review|button quiet.*|dot away|spinner|sure low"  # values
    r"|<.*|.*gradient\(.*|rgb.*|.*\[[\w-]+.*\].*|[a-z ]*[.#][a-z-]+.*"  # markup, colours, selectors
    r"|(input|button|code), .*|.*px.*|(textseg|pip) .*",
    re.DOTALL,
)
"""Literals that look like words and are none that are shown."""


def in_script(script: str) -> list[str]:
    """Each text that a script gives to `t`, or in its two forms to `plural`, as it stands."""
    return [text[1:-1].replace('\\"', '"') for found in SAID.findall(script) for text in found if text]


def unsaid(script: str) -> list[str]:
    """Each phrase of a script that is shown as it stands, in whatever language the page is."""
    script = COMMENT.sub("", script)
    said = {place for found in SAID.finditer(script) for place in (found.start(1), found.start(2), found.start(3))}
    found = []
    for literal in TEXT.finditer(script):
        text = literal[0][1:-1]
        bare = re.sub(r"\$\{[^}]*\}", "", text)
        if literal.start() in said or NO_TEXT.search(script[: literal.start()].split("\n")[-1]):
            continue
        if PHRASE.search(bare) and not MEANT.fullmatch(text):
            found.append(text)
    return found


def parts(language: Path) -> list[Path]:
    """The files of a language's table of the pages."""
    return [path for path in sorted(language.with_suffix("").glob("*.js")) if path.stem != "server"]


def entries(path: Path) -> list[tuple[str, str]]:
    """Texts of one file with what they are in its language."""
    found = ENTRY.findall(path.read_text("utf-8"))
    return [((quoted or plain).replace('\\"', '"'), value.replace('\\"', '"')) for quoted, plain, value in found]


def table(language: Path) -> dict[str, str]:
    """All texts of the pages."""
    return dict(pair for path in parts(language) for pair in entries(path))
