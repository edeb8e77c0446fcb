"""The code blocks of the docs. What is done with each is said in its info string.

`python app=NAME` is a whole app, `file=PATH` a file of a directory app, with `db` if it needs the database, `data` if
it needs the data set `sales`, and `query="a=b"` if it needs arguments; `python test` is a test of such apps; `python
client` a script beside a running server, `python api` one that uses the HTTP API, as `tests/api` runs it; `html
embed` is a template with apps in it, `python embed` views (their names end in `report`) that give such pages; `python
settings` goes into a site's settings, and so does `python policy=LIBRARY`, a policy for its pages; `python site=PATH`
is a file of a site of Django's making, with `append` the end of one. `console` are commands, with `run` they are run
and their output is compared. What cannot be run says why: `norun="..."`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(?P<info>[^\n]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """One block: its language, and the words of its info string."""

    page: Path
    line: int
    language: str
    words: dict[str, str]
    text: str

    def __str__(self) -> str:
        return f"{page_id(self.page)}:{self.line}"

    @property
    def app_file(self) -> Path:
        """Where the block stands among the apps."""
        name = self.words["app"]
        return Path(name, self.words["file"]) if "file" in self.words else Path(f"{name}.py")


def page_id(page: Path) -> str:
    """A page as people name it."""
    return str(page.relative_to(ROOT))


@cache
def blocks() -> list[Block]:
    """All blocks of all pages."""
    return [block for page in PAGES for block in _blocks_of(page)]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        language, *words = shlex.split(match["info"])
        pairs = (word.partition("=") for word in words)
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, language, {name: value for name, _, value in pairs}, match["text"])


def with_word(word: str, *languages: str) -> list[Block]:
    """The blocks that have a word, of some languages or of all."""
    return [b for b in blocks() if word in b.words and (not languages or b.language in languages)]


def app_names() -> list[str]:
    """The names of the apps on all pages."""
    return list(dict.fromkeys(block.words["app"] for block in with_word("app")))


def app_words(name: str) -> dict[str, str]:
    """What the info strings of an app's blocks say, taken together."""
    return {key: value for b in with_word("app") if b.words["app"] == name for key, value in b.words.items()}


def write_apps(folder: Path) -> None:
    """Write all apps into ``folder``, as the pages say."""
    for block in with_word("app"):
        path = folder / block.app_file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:  # no two blocks are the same file
            file.write(block.text)


def app_path(folder: Path, name: str) -> Path:
    """The file or directory of an app that ``write_apps`` wrote."""
    return folder / name if (folder / name).is_dir() else folder / f"{name}.py"


def console(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with the output that follows it."""
    if block.language == "sh":
        yield from ((line, "") for line in block.text.splitlines() if line)
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """What a page links to, other sites left out."""
    targets = [match["target"] for match in _LINK.finditer(prose(page))]
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    texts = (match["text"].lower() for match in _HEADING.finditer(prose(page)))
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


def code_words(page: Path) -> list[str]:
    """What stands in backquotes on a page."""
    return _CODE.findall(prose(page))


def table_column(text: str) -> list[str]:
    """The first column of the tables in a text, without backquotes and without heads."""
    rows = re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)
    return [str(row) for row in rows]


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    _, _, rest = prose(page).partition(f"\n{heading}\n")
    return rest.partition("\n## ")[0]
