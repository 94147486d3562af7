"""Chooses what of other files stands in the prompt: definitions by evidence, then similar text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from lsp_server.context.buffer import Buffer, overlap
from lsp_server.context.definitions import Candidate, candidates
from lsp_server.context.installed import Packages
from lsp_server.context.languages.table import language_of
from lsp_server.context.lookup import Key
from lsp_server.context.render import (
    INDENT,
    Block,
    Cost,
    choose_definitions,
    choose_members,
    skeleton,
    whole,
)
from lsp_server.context.resolution import Resolver
from lsp_server.context.steadiness import Chosen, Piece, steady
from lsp_server.context.types import Cursor, Symbol, SymbolIndex, Window
from lsp_server.prompt.types import Snippet

# Shares of the budget: what definitions may take, what they may take once evidence is weak, and
# what one of them may take unless it is what stands before the dot. Measured with the prototype.
DEFINITIONS_SHARE, WEAK_SHARE, ENTRY_SHARE = 0.85, 0.35, 0.5
STRONG = 40.0
LEAST_SCORE = 2.0
MOST_ENTRIES = 12
LEAST_ROOM, LEAST_CAP = 25, 15
# A window with less room than this is not begun, and after a cut less than that is left unused.
LEAST_WINDOW, LEAST_AFTER_CUT = 24, 12
# Members of a module that are looked at, and those whose definition is looked for elsewhere.
MOST_MEMBERS, MOST_RESOLVED = 400, 30
# With fewer members than this shown, their documentation is shown even for weak evidence.
FEW_MEMBERS = 8
# The worth of the best window beside definitions' points.
WINDOW_POINTS = 10.0

# What makes a member wanted, beside the sub-tokens that it shares with nearby lines.
TYPED, TYPED_CASELESS = 50.0, 30.0
USED = 2.0
SEEN, AFTER_SEEN = -2.0, 1.5
CONSTRUCTED, CONSTRUCTOR = 3.0, -1.0
DUNDER, PRIVATE, CALLABLE, ATTRIBUTE = -3.0, -1.0, 0.6, -0.2
_CONSTRUCTING = frozenset({"import", "callee", "type of a variable", "name"})
_WIDE = frozenset({"receiver", "base of the receiver", "base of the class around the cursor"})


def choose(
    cursor: Cursor,
    index: SymbolIndex,
    similar: Callable[[], Sequence[Window] | None],
    budget: int,
    count: Callable[[str], int],
    previous: Chosen | None = None,
    window: tuple[int, int] | None = None,
    recent: Sequence[str] = (),
    packages: Packages | None = None,
) -> Chosen:
    """The pieces of other files that the prompt for a cursor should hold.

    `budget` and `count` are in tokens; one line with its path is counted for each snippet.
    `similar` is asked last, for what resembles the text around the cursor, best first; it gives
    None when there is no time for that. `previous` is what was chosen for the same document before:
    it is kept unless the evidence says much more for something else. `window` is the range of
    characters of the document that the prompt will show; definitions outside of it are as good as
    another file's. `recent` are paths edited or viewed lately, newest first; `packages` what is
    installed for the document.
    """
    cost: Cost = partial(_tokens, count)
    resolver = Resolver(Buffer(cursor), index, packages)
    hidden = _hidden(cursor, window)
    ranked = candidates(resolver, hidden, recent)
    definitions = _Definitions(resolver, cost, budget, hidden)
    definitions.add(ranked)
    windows = similar()
    chosen = _packed(cursor, definitions, windows or (), budget, cost)
    chosen = replace(chosen, whole=windows is not None)
    return steady(chosen, previous, index, resolver.lookup.packages)


class _Definitions:
    """Fills the definitions' part of the budget, file by file."""

    def __init__(
        self, resolver: Resolver, cost: Cost, budget: int, hidden: Callable[[Symbol], bool]
    ) -> None:
        self._resolver = resolver
        self._buffer = resolver.buffer
        self._cost = cost
        self._budget = int(budget * DEFINITIONS_SHARE)
        self._weak_budget = int(budget * WEAK_SHARE)
        self._hidden = hidden
        access = self._buffer.access()
        self._typed = access.typed if access else ""
        self._used = set(self._buffer.used_on(access.receiver)) if access else set()
        self._files: dict[str, dict[Key, Block]] = {}
        self._spent: dict[str, int] = {}
        self._rooms: dict[Key, int] = {}
        self.pieces: list[Piece] = []
        self.reasons: dict[str, str] = {}

    def add(self, ranked: Sequence[Candidate]) -> None:
        """Take candidates, best first, for as long as there is room and evidence."""
        self._rooms = self._divided([each for each in ranked if _is_wide(each)])
        for candidate in ranked[:MOST_ENTRIES]:
            budget = self._budget if candidate.score >= STRONG else self._weak_budget
            left = min(budget, self._budget) - sum(self._spent.values())
            if candidate.score < LEAST_SCORE or left < LEAST_ROOM:
                break
            self._add(candidate, left)

    def snippets(self) -> list[tuple[str, list[str], int]]:
        """Paths, lines and tokens of files, best first."""
        return [
            (path, self._lines(path, blocks), self._spent[path])
            for path, blocks in self._files.items()
        ]

    def wanted(self) -> frozenset[str]:
        """The members shown that start with what is typed after the dot."""
        if not self._typed:
            return frozenset()
        blocks = [block for file in self._files.values() for block in file.values()]
        return frozenset(
            member.name
            for block in blocks
            for member in block.members
            if member.name.startswith(self._typed)
        )

    def _add(self, candidate: Candidate, left: int) -> None:
        path = candidate.path
        header = 0 if path in self._files else self._cost(path)
        cap = min(left - header, self._cap(candidate, left))
        if cap < LEAST_CAP:
            return
        before = self._files.get(path, {})
        after = _merged(before, self._blocks(candidate, cap))
        used = self._cost(path) + sum(map(self._cost, self._lines(path, after)))
        if used - self._spent.get(path, 0) > left or after == before:
            return
        self._files[path], self._spent[path] = after, used
        self.reasons.setdefault(path, candidate.reason)
        name = candidate.symbol.name if candidate.symbol else ""
        line = candidate.symbol.line if candidate.symbol else 0
        self.pieces.append(Piece(path, name, (line, line), candidate.score, candidate.symbol))

    def _cap(self, candidate: Candidate, left: int) -> int:
        """Tokens that one candidate may take."""
        if not _is_wide(candidate) or (candidate.symbol and not candidate.symbol.members):
            return int(self._budget * ENTRY_SHARE)
        return self._rooms.get(candidate.identity, 0) if candidate.symbol else left

    def _divided(self, classes: Sequence[Candidate]) -> dict[Key, int]:
        """The room among a receiver's class and its bases, by where the members are that are most
        likely wanted; what is left is anybody's. The class itself has a little in any case."""
        wants = [
            (want, member, candidate)
            for candidate in classes
            if candidate.symbol
            for want, member in self._wants(candidate, candidate.symbol.members)
        ]
        rooms = {each.identity: self._cost(_head(each)) + LEAST_CAP for each in classes[:1]}
        left = self._budget - sum(rooms.values()) - sum(self._cost(c.path) for c in classes[:1])
        for _, member, candidate in sorted(wants, key=lambda each: each[0]):
            price = self._cost(INDENT + member.signature)
            if candidate.identity not in rooms:
                left -= self._cost(candidate.path)
                price += self._cost(_head(candidate))
            left -= price
            if left < 0:
                break
            rooms[candidate.identity] = rooms.get(candidate.identity, 0) + price
        return {identity: room + max(0, left) for identity, room in rooms.items()}

    def _blocks(self, candidate: Candidate, cap: int) -> dict[Key, Block]:
        symbol, language = candidate.symbol, language_of(candidate.path)
        if symbol is None:
            return self._module(candidate, cap)
        if symbol.kind != "class":
            owner = self._resolver.lookup.owner(symbol)
            block = Block(owner, [symbol]) if owner else whole(symbol)
            if owner and symbol.doc:
                block.documented.add(symbol.name)
            return {_block_key(block): block}
        block = whole(symbol)
        is_focus = candidate.score >= STRONG
        members = self._by_want(candidate, symbol.members)
        choose_members(
            block,
            members,
            room=cap,
            cost=self._cost,
            language=language,
            names=is_focus,
            documented=is_focus or len(members) <= FEW_MEMBERS,
        )
        return {_block_key(block): block}

    def _module(self, candidate: Candidate, cap: int) -> dict[Key, Block]:
        lookup = self._resolver.lookup
        names = lookup.module_names(candidate.path)[:MOST_MEMBERS]
        if candidate.reason == "receiver":
            known = {each.name for each in names}
            found = (lookup.find(candidate.path, name) for name in sorted(self._used - known))
            names += [value.symbol for value in found if value and value.symbol]
        wanted = self._by_want(candidate, names)
        members = [lookup.defined(each) for each in wanted[:MOST_RESOLVED]]
        members += wanted[MOST_RESOLVED:]
        blocks = choose_definitions(
            members, room=cap, cost=self._cost, language=language_of(candidate.path)
        )
        return {_block_key(block): block for block in blocks}

    def _by_want(self, candidate: Candidate, members: Sequence[Symbol]) -> list[Symbol]:
        """Members, the most likely wanted first; without those that the prompt shows anyway."""
        wants = sorted(self._wants(candidate, members), key=lambda each: each[0])
        return [member for _, member in wants]

    def _wants(self, candidate: Candidate, members: Sequence[Symbol]) -> list[tuple[float, Symbol]]:
        """Members that the prompt does not show anyway; the more likely one is wanted, the lower is
        its number."""
        if candidate.path == self._resolver.path:
            members = [member for member in members if self._hidden(member)]
        seen = self._buffer.seen
        wants: list[tuple[float, Symbol]] = []
        for position, member in enumerate(members):
            want = self._want(member, candidate.reason)
            if member.name in seen:
                want += SEEN
            elif position and members[position - 1].name in seen:
                want += AFTER_SEEN
            wants.append((-want, member))
        return wants

    def _want(self, member: Symbol, reason: str) -> float:
        name, want = member.name, overlap(self._buffer.words_near, member.name)
        if self._typed and name.startswith(self._typed):
            want += TYPED
        elif self._typed and name.lower().startswith(self._typed.lower()):
            want += TYPED_CASELESS
        if name in self._used:
            want += USED
        if name == "__init__":
            want += CONSTRUCTED if reason in _CONSTRUCTING else CONSTRUCTOR
        elif name.startswith("__"):
            want += DUNDER
        elif name.startswith("_"):
            want += PRIVATE
        if member.kind in ("function", "property", "class"):
            want += CALLABLE
        elif member.signature.startswith("self."):
            want += ATTRIBUTE
        return want

    def _lines(self, path: str, blocks: dict[Key, Block]) -> list[str]:
        return skeleton(blocks.values(), language_of(path))


def _head(candidate: Candidate) -> str:
    return candidate.symbol.signature if candidate.symbol else ""


def _is_wide(candidate: Candidate) -> bool:
    """Whether a candidate may take more than others, being what stands before the dot."""
    return candidate.reason in _WIDE and candidate.score >= STRONG


def _packed(
    cursor: Cursor, definitions: _Definitions, windows: Iterable[Window], budget: int, cost: Cost
) -> Chosen:
    """The definitions, then windows for as long as whole lines fit."""
    snippets: list[Snippet] = []
    pieces, evidence = list(definitions.pieces), dict(definitions.reasons)
    for path, lines, tokens in definitions.snippets():
        snippets.append(Snippet(path, _text(lines)))
        budget -= tokens
    best = 0.0
    for window in windows:
        if budget < LEAST_WINDOW:
            break
        best = best or window.score
        lines = [line for line in window.lines if line.strip()]
        fitting = _fitting(lines, budget - cost(window.path), cost)
        if not fitting:
            continue
        budget -= cost(window.path) + sum(map(cost, fitting))
        snippets.append(Snippet(window.path, _text(fitting)))
        evidence.setdefault(window.path, "similar text")
        points = WINDOW_POINTS * window.score / best if best > 0 else 0.0
        last = window.first_line + len(window.lines)
        pieces.append(Piece(window.path, "", (window.first_line, last), points))
        if len(fitting) < len(lines) and budget < LEAST_AFTER_CUT:
            break
    return Chosen(cursor.path, tuple(snippets), evidence, tuple(pieces), definitions.wanted())


def _fitting(lines: Sequence[str], room: int, cost: Cost) -> list[str]:
    """As many lines from the first one as fit."""
    fitting: list[str] = []
    for line in lines:
        room -= cost(line)
        if room < 0:
            break
        fitting.append(line)
    return fitting


def _hidden(cursor: Cursor, window: tuple[int, int] | None) -> Callable[[Symbol], bool]:
    """Whether a symbol of the open document stands where the prompt does not show it."""
    if window is None:
        return lambda symbol: False
    text = cursor.prefix + cursor.suffix
    first, last = text.count("\n", 0, window[0]), text.count("\n", 0, window[1])

    def is_hidden(symbol: Symbol) -> bool:
        if any(map(is_hidden, symbol.members)):
            return True
        return symbol.line < first or symbol.line > last

    return is_hidden


def _merged(before: dict[Key, Block], new: dict[Key, Block]) -> dict[Key, Block]:
    merged = {
        key: Block(block.symbol, list(block.members), set(block.documented), list(block.others))
        for key, block in before.items()
    }
    for key, block in new.items():
        if key in merged:
            merged[key].merge(block)
        else:
            merged[key] = block
    return merged


def _block_key(block: Block) -> Key:
    symbol = block.symbol
    return (symbol.path, symbol.line, symbol.name) if symbol else ("", -1, "")


def _text(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)


@lru_cache(maxsize=32768)
def _tokens(count: Callable[[str], int], line: str) -> int:
    return count(line + "\n")
