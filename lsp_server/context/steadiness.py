"""Keeps what was chosen from one keystroke to the next.

Every change of the context costs the model its KV cache, so it has to be worth it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lsp_server.context.installed import Packages
from lsp_server.context.types import Symbol, SymbolIndex
from lsp_server.prompt.types import Snippet

# What the previous choice may lack, in points of evidence, before it is given up; a definition with
# as many points as a new receiver has is never done without.
MARGIN = 25.0
RECEIVER_POINTS = 100.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a choice: a definition, or a window's lines of a file, and the points for it."""

    path: str
    name: str
    lines: tuple[int, int]
    score: float
    symbol: Symbol | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for a cursor in `path`: snippets, best first, and for each of their paths
    why. `pieces` are what they are made of; `wanted` the members shown that fit what is typed; not
    `whole`, there was no time to search for more."""

    path: str = ""
    snippets: tuple[Snippet, ...] = ()
    evidence: dict[str, str] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    wanted: frozenset[str] = frozenset()
    whole: bool = True

    def windows(self) -> list[tuple[Piece, Snippet]]:
        """The pieces that are lines of a file, and their text."""
        pieces = [piece for piece in self.pieces if piece.lines[0] < piece.lines[1]]
        return list(zip(pieces, self.snippets[len(self.snippets) - len(pieces) :], strict=True))


def steady(
    new: Chosen, previous: Chosen | None, index: SymbolIndex, packages: Packages | None = None
) -> Chosen:
    """The previous choice if it still holds and the new one is not better by a margin."""
    if previous is None or previous.path != new.path or not previous.snippets:
        return new
    if new.whole and not previous.whole:
        return new
    if not new.wanted <= previous.wanted and not _shows(previous, new.wanted):
        return new
    lacking = [piece for piece in new.pieces if not _has(previous, piece)]
    if is_urgent(new, previous):
        return new
    if sum(piece.score for piece in lacking) > MARGIN or not _is_valid(
        previous, index, packages or Packages()
    ):
        return new
    return previous


def is_urgent(new: Chosen, previous: Chosen) -> bool:
    """Whether the previous choice lacks what the cursor is about: the definition of the receiver
    before it."""
    lacking = (piece for piece in new.pieces if not _has(previous, piece))
    return any(piece.score >= RECEIVER_POINTS for piece in lacking)


def _shows(chosen: Chosen, names: frozenset[str]) -> bool:
    text = "\n".join(snippet.text for snippet in chosen.snippets)
    return all(name in text for name in names)


def _has(chosen: Chosen, piece: Piece) -> bool:
    """Whether a choice has a piece: the same definition, or half of a window's lines."""
    return any(_same(piece, other) for other in chosen.pieces if other.path == piece.path)


def _same(one: Piece, other: Piece) -> bool:
    if one.name or other.name:
        return one.name == other.name and one.symbol == other.symbol
    shared = min(one.lines[1], other.lines[1]) - max(one.lines[0], other.lines[0])
    return 2 * shared >= one.lines[1] - one.lines[0]


def _is_valid(chosen: Chosen, index: SymbolIndex, packages: Packages) -> bool:
    """Whether what was chosen is still in the workspace or installed."""
    others = [piece for piece in chosen.pieces if piece.path != chosen.path]
    return all(_is_there(piece, index, packages) for piece in others)


def _is_there(piece: Piece, index: SymbolIndex, packages: Packages) -> bool:
    if not index.exists(piece.path):
        return packages.has(piece.symbol) if piece.symbol else packages.exists(piece.path)
    if piece.symbol is None:
        return True
    return piece.symbol in (*index.named(piece.name), *index.members_named(piece.name))
