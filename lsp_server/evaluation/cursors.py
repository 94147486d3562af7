"""Where the benchmark puts its cursors, and what they need.

The procedure, for each package and each seed: files of more than 40 lines are shuffled. In turn
one cursor is drawn from each until there are enough, at most three rounds. A `random` cursor
stands at the start of a line where a statement starts; it needs the rest of that line. A `member`
cursor stands behind the dot of a member access outside of imports; it needs the rest of that line.
The member's name is defined in another file of the package, neither in this one nor by a built-in
type, and is not accessed on a module from elsewhere. Cursors of the first 15 lines and lines
shorter than 5 characters are left out, and so are those whose names all occur in the last 60 or
the next 20 lines: nothing can be said of the context by them. So are those whose line and the two
above it, blank ones aside, stand in another file as well: of a copy the answer would be copied.
"""

from __future__ import annotations

import builtins
import io
import keyword
import random
import re
import tokenize
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Literal

Kind = Literal["member", "random"]
KINDS: tuple[Kind, ...] = ("member", "random")

LEAST_LINES, FIRST_LINE, LEAST_CHARACTERS = 40, 15, 5
ROUNDS = 3
NEAR_BEFORE, NEAR_AFTER = 60, 20
WINDOW_LINES = 3

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_DEFINITION = re.compile(
    r"^[ \t]*(?:(?:async )?def|class)[ \t]+(\w+)|\bself\.(\w+)[ \t]*[:=]", re.M
)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([\w.]+)(?:[ \t]+as[ \t]+(\w+))?", re.M)
_BUILT_IN = frozenset(
    name for kind in vars(builtins).values() if isinstance(kind, type) for name in dir(kind)
)
_NO_NAMES = frozenset({*keyword.kwlist, "self", "cls"})


@dataclass(frozen=True, slots=True)
class Case:
    """A cursor in a package's file, and the names that it needs and that do not stand near it."""

    package: str
    kind: Kind
    path: str
    prefix: str
    suffix: str
    needed: frozenset[str]


def cases(package: str, files: Mapping[str, str], kind: Kind, count: int, seed: int) -> list[Case]:
    """At most `count` cursors of a package, the same for the same seed."""
    draw = random.Random(f"{seed} {package} {kind}")
    paths = sorted(path for path, text in files.items() if text.count("\n") > LEAST_LINES)
    draw.shuffle(paths)
    defined = _definitions(files)
    modules = {part for path in files for part in path.removesuffix(".py").split("/")}
    places = {path: _places(path, files[path], kind, defined, modules) for path in paths}
    copies = _copies(files)
    found: dict[tuple[str, int], Case] = {}
    for _ in range(ROUNDS):
        for path in paths:
            if len(found) == count:
                return list(found.values())
            if places[path]:
                line, column = draw.choice(places[path])
                case = _case(package, kind, path, files[path], line, column)
                if case.needed and _window(files[path], line) not in copies:
                    found[path, line] = case
    return list(found.values())


def _definitions(files: Mapping[str, str]) -> dict[str, set[str]]:
    """Names of functions, classes and attributes to the files that define them."""
    defined: dict[str, set[str]] = {}
    for path, text in files.items():
        for match in _DEFINITION.finditer(text):
            defined.setdefault(match.group(1) or match.group(2), set()).add(path)
    return defined


def _copies(files: Mapping[str, str]) -> set[tuple[str, ...]]:
    """The windows of lines that more than one file has."""
    first: dict[tuple[str, ...], str] = {}
    copies = set()
    for path, text in files.items():
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        for end in range(WINDOW_LINES, len(lines) + 1):
            window = tuple(lines[end - WINDOW_LINES : end])
            if first.setdefault(window, path) != path:
                copies.add(window)
    return copies


def _window(text: str, line: int) -> tuple[str, ...]:
    """The line of that number and those above it, blank ones aside."""
    lines = [each.strip() for each in text.split("\n")[: line + 1] if each.strip()]
    return tuple(lines[-WINDOW_LINES:])


def _places(
    path: str, text: str, kind: Kind, defined: Mapping[str, set[str]], modules: Set[str]
) -> list[tuple[int, int]]:
    """Lines, from 0, and columns of possible cursors."""
    lines = text.split("\n")
    found = _statements(text) if kind == "random" else _members(path, text, defined, modules)
    return [
        (line, column)
        for line, column in found
        if line >= FIRST_LINE and len(lines[line][column:].strip()) >= LEAST_CHARACTERS
    ]


def _statements(text: str) -> Iterator[tuple[int, int]]:
    previous = None
    for token in _tokens(text):
        starts = previous in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        if starts and token.type == tokenize.NAME and token.string not in ("import", "from"):
            yield token.start[0] - 1, 0
        previous = token.type


def _members(
    path: str, text: str, defined: Mapping[str, set[str]], modules: Set[str]
) -> Iterator[tuple[int, int]]:
    foreign = {
        match.group(2) or match.group(1)
        for match in _IMPORT.finditer(text)
        if match.group(1).split(".")[0] not in modules
    }
    receiver = previous = ""
    for token in _tokens(text):
        if token.type == tokenize.NAME and previous == "." and receiver not in foreign:
            places = defined.get(token.string, set()) if token.string not in _BUILT_IN else set()
            if places and path not in places and not re.match(r"\s*(from|import)\b", token.line):
                yield token.start[0] - 1, token.start[1]
        receiver, previous = previous, token.string


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    try:
        return list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []


def _case(package: str, kind: Kind, path: str, text: str, line: int, column: int) -> Case:
    lines = text.split("\n")
    prefix = "".join(each + "\n" for each in lines[:line]) + lines[line][:column]
    suffix = "\n" + "\n".join(lines[line + 1 :])
    near = "\n".join(prefix.split("\n")[-NEAR_BEFORE:] + suffix.split("\n")[:NEAR_AFTER])
    wanted = _STRING.sub('""', lines[line][column:]).partition("#")[0]
    names = {name for name in IDENTIFIER.findall(wanted) if len(name) > 1} - _NO_NAMES
    needed = frozenset(names.difference(IDENTIFIER.findall(near)))
    return Case(package, kind, path, prefix, suffix, needed)
