"""Definitions as code: heads of classes with the members that matter, no bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lsp_server.context.languages.table import Language
from lsp_server.context.types import Symbol

INDENT = "    "
# Share of a skeleton that is kept for the names of members it has no room for.
NAMES_SHARE = 0.35
# Of members' documentation, so many at most, and up to that share of the skeleton's room.
DOCUMENTED, DOCUMENTED_SHARE = 10, 0.9
# Below this nothing more can be shown.
LEAST_LINE = 4

Cost = Callable[[str], int]
"""Tokens that a line takes, its end included."""


class Form(NamedTuple):
    """How a language writes a head that a body would follow, and one that none follows."""

    opening: str
    closing: str
    bodiless: str
    docstrings: bool = False


_BRACES = Form(" {", "}", ";")
_FORMS = {
    "python": Form(":", "", ": ...", docstrings=True),
    "ruby": Form("", "end", ""),
    "lua": Form("", "", ""),
    "shell": Form("", "", ""),
    "scala": Form(":", "", ""),
    "kotlin": Form(" {", "}", ""),
    "swift": Form(" {", "}", ""),
}
# Methods are written outside of their type.
_METHODS_OUTSIDE = frozenset({"go"})


@dataclass(slots=True)
class Block:
    """What is shown of one definition at a file's top level: a class with members chosen from it,
    or a function or variable. Without a symbol only a line of `others`, names left out."""

    symbol: Symbol | None
    members: list[Symbol] = field(default_factory=list)
    documented: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)

    def merge(self, other: Block) -> None:
        """Show what the other block shows, too."""
        shown = {(member.line, member.name) for member in self.members}
        self.members += [m for m in other.members if (m.line, m.name) not in shown]
        self.documented |= other.documented
        names = {member.name for member in self.members}
        left = dict.fromkeys([*self.others, *other.others])
        self.others = [name for name in left if name.removesuffix("()") not in names]


def skeleton(blocks: Iterable[Block], language: Language) -> list[str]:
    """The lines of a file's blocks, in source order."""
    by_line = sorted(blocks, key=lambda block: block.symbol.line if block.symbol else 1 << 30)
    return [line for block in by_line for line in _lines(block, language)]


def whole(symbol: Symbol) -> Block:
    """A definition by its head and documentation."""
    return Block(symbol, documented={symbol.name} if symbol.doc else set())


def choose_members(
    block: Block,
    members: Sequence[Symbol],
    *,
    room: int,
    cost: Cost,
    language: Language,
    names: bool,
    documented: bool,
) -> None:
    """Fill a class's block with those of its members, most wanted first, that fit into the room.

    `room` is in tokens, the head included. Where not all members fit and `names` is true, a line
    names others. With `documented`, members have their documentation as far as there is room.
    """
    head = sum(map(cost, _lines(Block(block.symbol, [], block.documented), language)))
    head += cost(form_of(language).closing) if form_of(language).closing else 0
    shown, rest, used = _fitting(members, room - head, cost, language)
    if rest and names:
        limit = int((room - head) * (1 - NAMES_SHARE))
        shown, rest, used = _fitting(members, limit, cost, language)
    block.members = shown
    if rest and names:
        block.others = _names(rest, room - head - used, cost, language)
    if not rest and documented:
        left = int(room * DOCUMENTED_SHARE) - head - used
        block.documented |= _documented(shown[:DOCUMENTED], left, cost, language)


def choose_definitions(
    members: Sequence[Symbol], *, room: int, cost: Cost, language: Language
) -> list[Block]:
    """A module's definitions, most wanted first, as far as they fit, and a line of other names."""
    shown, rest, used = _fitting(members, room, cost, language, depth=0)
    if rest:
        limit = int(room * (1 - NAMES_SHARE))
        shown, rest, used = _fitting(members, limit, cost, language, depth=0)
    others = _names(rest, room - used, cost, language, depth=0) if rest else []
    left = int(room * DOCUMENTED_SHARE) - used
    documented = set() if rest else _documented(shown[:DOCUMENTED], left, cost, language, depth=0)
    blocks = [Block(symbol, documented=documented & {symbol.name}) for symbol in shown]
    return [*blocks, Block(None, others=others)] if others else blocks


def form_of(language: Language) -> Form:
    """How the language writes heads."""
    return _FORMS.get(language.name, _BRACES)


def _fitting(
    symbols: Sequence[Symbol], room: int, cost: Cost, language: Language, depth: int = 1
) -> tuple[list[Symbol], list[Symbol], int]:
    """Those that fit, those that do not, and the tokens used."""
    shown: list[Symbol] = []
    rest: list[Symbol] = []
    used = 0
    for symbol in symbols:
        if room - used < LEAST_LINE:
            rest.append(symbol)
            continue
        price = sum(map(cost, _head(symbol, language, depth)))
        if used + price > room:
            rest.append(symbol)
        else:
            used += price
            shown.append(symbol)
    return shown, rest, used


def _names(
    symbols: Iterable[Symbol], room: int, cost: Cost, language: Language, depth: int = 1
) -> list[str]:
    names: list[str] = []
    used = cost(INDENT * depth + language.commented("also:"))
    for symbol in symbols:
        name = f"{symbol.name}()" if symbol.kind == "function" else symbol.name
        if symbol.name.startswith("__") or name in names:
            continue
        price = cost(f" {name},")
        if used + price <= room:
            used += price
            names.append(name)
        elif room - used < LEAST_LINE:
            break
    return names


def _documented(
    symbols: Iterable[Symbol], room: int, cost: Cost, language: Language, depth: int = 1
) -> set[str]:
    """Names of those whose documentation fits."""
    names: set[str] = set()
    for symbol in symbols:
        if symbol.doc and symbol.kind != "class":
            price = cost(_documentation(symbol, language, depth))
            if price <= room:
                room -= price
                names.add(symbol.name)
    return names


def _lines(block: Block, language: Language) -> Iterator[str]:
    form, symbol = form_of(language), block.symbol
    others = [language.commented("also: " + ", ".join(block.others))] if block.others else []
    if symbol is None:
        yield from others
    elif not block.members and not others:
        yield from _head(symbol, language, 0, symbol.name in block.documented)
    else:
        documented = symbol.doc if symbol.name in block.documented else ""
        if documented and not form.docstrings:
            yield language.commented(documented)
        yield _opened(symbol, form)
        if documented and form.docstrings:
            yield f'{INDENT}"""{documented}"""'
        inside, outside = _parted(block.members, language)
        yield from _members(inside, block.documented, language)
        yield from (INDENT + line for line in others)
        if form.closing:
            yield form.closing
        for member in outside:
            yield from _head(member, language, 0, member.name in block.documented)


def _parted(members: Sequence[Symbol], language: Language) -> tuple[list[Symbol], list[Symbol]]:
    """Members inside and outside of the class's braces, in source order."""
    ordered = sorted(members, key=lambda member: member.line)
    if language.name not in _METHODS_OUTSIDE:
        return ordered, []
    is_method = [member.kind == "function" for member in ordered]
    return (
        [member for member, method in zip(ordered, is_method, strict=True) if not method],
        [member for member, method in zip(ordered, is_method, strict=True) if method],
    )


def _members(members: Sequence[Symbol], documented: set[str], language: Language) -> Iterator[str]:
    """Members in source order; what a Python method sets on `self` stands in its body."""
    method: Symbol | None = None
    for member, following in zip(members, [*members[1:], None], strict=False):
        if method and _is_set_in(member, method):
            yield INDENT * 2 + member.signature
            continue
        if member.kind == "function":
            method = member
        has_body = following is not None and _is_set_in(following, member)
        yield from _head(member, language, 1, member.name in documented, has_body)


def _is_set_in(member: Symbol, method: Symbol) -> bool:
    return (
        method.kind == "function"
        and member.signature.startswith("self.")
        and method.line < member.line <= method.end_line
    )


def _head(
    symbol: Symbol, language: Language, depth: int, documented: bool = False, has_body: bool = False
) -> Iterator[str]:
    """A definition without what is in it."""
    form, indent = form_of(language), INDENT * depth
    if documented and not form.docstrings:
        yield indent + language.commented(symbol.doc)
    if form.docstrings and symbol.kind == "property":
        yield indent + "@property"
    if (documented and form.docstrings) or has_body:
        yield indent + _opened(symbol, form)
    else:
        yield indent + _closed(symbol, form)
    if documented and form.docstrings:
        yield _documentation(symbol, language, depth)


def _documentation(symbol: Symbol, language: Language, depth: int) -> str:
    if form_of(language).docstrings:
        return INDENT * (depth + 1) + f'"""{symbol.doc}"""'
    return INDENT * depth + language.commented(symbol.doc)


def _opened(symbol: Symbol, form: Form) -> str:
    return _bare(symbol) + (form.opening if symbol.kind != "variable" else "")


def _closed(symbol: Symbol, form: Form) -> str:
    """A head that no body follows."""
    bare = _bare(symbol)
    if symbol.kind == "variable":
        return bare
    if symbol.kind == "class" and form.closing:
        return f"{bare}{form.opening} ... {form.closing}" if form.opening else bare
    return bare + form.bodiless if bare[-1:] not in (",", "}") else bare


def _bare(symbol: Symbol) -> str:
    return symbol.signature.rstrip().rstrip("{;:").rstrip()
