"""Which definitions of the workspace a cursor needs, by evidence summed per symbol.

The points are those of the measured prototype: what stands before the dot counts most, then the
function being called, then the names near the cursor by their distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from lsp_server.context.buffer import Buffer
from lsp_server.context.expressions import Access, Chain
from lsp_server.context.lookup import Key, Value, is_class, key, nearness
from lsp_server.context.resolution import Resolver
from lsp_server.context.tokens import keywords, words
from lsp_server.context.types import Symbol

RECEIVER = 100.0
RECEIVER_BASE, RECEIVER_BASE_STEP, RECEIVER_BASES = 80.0, 5.0, 8
MODULE_FILE_STEP, MODULE_FILES = 5.0, 4
CALLEE = 60.0
CALLEE_BY_NAME, CALLEE_NAMESAKES = 0.3, 3
# For a class that has several of the members used on the receiver, or one of them; a name that more
# classes than these have tells nothing.
LIKE_USED, LIKE_USED_ONCE = 60.0, 30.0
USED_NAMES, USED_OWNERS, USED_CLASSES = 6, 16, 2
LIKE_NAMED, SECOND_LIKE_NAMED, LEAST_LIKE_NAMED = 20.0, 0.6, 4
ENCLOSING_BASE, ENCLOSING_BASES = 12.0, 3
UNUSED_IMPORT, USED_IMPORT = 6.0, 0.25
TYPED_VARIABLE = 0.8
UNIMPORTED, UNIMPORTED_ELSEWHERE = 0.4, 0.9
# Models know much of what is installed, and nothing of the workspace.
INSTALLED = 0.5
METHOD_BY_NAME, METHOD_NAMESAKES, METHOD_LETTERS = 0.3, 2, 4
# A name that would give fewer points is not looked up.
LEAST_EVIDENCE = 0.5
LEAST_METHOD_EVIDENCE = 2.0
# From this on the last reason given is the one that counts.
STRONG = 20.0
# The newest of the files edited or viewed lately; the n-th gets an n-th of it. It settles ties.
RECENT = 0.05

# Members of Python's own types, which classes of the workspace have as well.
_BUILT_IN = frozenset(name for kind in (str, bytes, list, dict, set) for name in dir(kind))


@dataclass(slots=True)
class Candidate:
    """A symbol, or a module when there is none, with the points for it and the reason for most."""

    path: str
    symbol: Symbol | None
    score: float
    reason: str

    @property
    def identity(self) -> Key:
        """What tells it from all others."""
        return key(self.symbol) if self.symbol else (self.path, -1, "")


def candidates(
    resolver: Resolver,
    hidden: Callable[[Symbol], bool],
    recent: Sequence[str] = (),
) -> list[Candidate]:
    """The definitions with evidence for them, best first.

    Of the buffer's own symbols only those that `hidden` names, which the prompt has no room for.
    `recent` are paths edited or viewed lately, newest first.
    """
    collected = _Collector(resolver, hidden)
    if access := resolver.buffer.access():
        collected.receiver(access)
    for position, callee in enumerate(resolver.buffer.open_calls()):
        collected.callee(callee, position)
    collected.enclosing_bases()
    collected.names()
    return collected.ranked(recent)


class _Collector:
    def __init__(self, resolver: Resolver, hidden: Callable[[Symbol], bool]) -> None:
        self._resolver = resolver
        self._buffer: Buffer = resolver.buffer
        self._index = resolver.index
        self._hidden = hidden
        self._path = resolver.path
        self._found: dict[Key, Candidate] = {}

    def receiver(self, access: Access) -> None:
        """Evidence from what stands before the dot."""
        value = self._resolver.at_cursor(access.receiver)
        if self._resolver.language == "python" and (value is None or value.symbol):
            self._like_used(access.receiver, value)
        if value is None:
            self._like_named(access.receiver)
            return
        self._value(value, RECEIVER, "receiver")
        if value.symbol and value.kind != "definition":
            bases = self._resolver.bases(value.symbol)[:RECEIVER_BASES]
            for position, base in enumerate(bases):
                points = RECEIVER_BASE - RECEIVER_BASE_STEP * position
                self._symbol(base, points, "base of the receiver")

    def callee(self, callee: Chain, position: int) -> None:
        """Evidence from an open call, the innermost being at position 0."""
        points = CALLEE / (1 + position)
        value = self._resolver.callee(callee)
        if value:
            self._value(value, points, "callee")
        elif len(callee) > 1:
            namesakes = self._methods(callee[-1].name)
            if len(namesakes) <= CALLEE_NAMESAKES:
                for method in namesakes:
                    self._symbol(method, points * CALLEE_BY_NAME, "method named like the callee")

    def enclosing_bases(self) -> None:
        """Evidence from the class around the cursor."""
        if enclosing := self._buffer.enclosing:
            for position, base in enumerate(self._resolver.bases(enclosing)[:ENCLOSING_BASES]):
                points = ENCLOSING_BASE / (1 + position)
                self._symbol(base, points, "base of the class around the cursor")

    def names(self) -> None:
        """Evidence from the names near the cursor, and from imports."""
        weights = {name: 0.0 for name in self._resolver.imports if name}
        weights.update(self._buffer.names_near())
        reserved = keywords(self._resolver.language)
        for name, weight in weights.items():
            if len(name) > 1 and name not in reserved:
                self._name(name, weight)

    def ranked(self, recent: Sequence[str]) -> list[Candidate]:
        """All candidates, best first."""
        for position, path in reversed(list(enumerate(recent, start=1))):
            for candidate in self._found.values():
                if candidate.path == path:
                    candidate.score *= 1 + RECENT / position
        return sorted(self._found.values(), key=lambda c: (-c.score, c.identity))

    def _name(self, name: str, weight: float) -> None:
        resolver, is_python = self._resolver, self._resolver.language == "python"
        if name in resolver.imports:
            weight += USED_IMPORT if self._buffer.is_used(name) else UNUSED_IMPORT
            if weight >= LEAST_EVIDENCE:
                self._value(resolver.name(name), weight, "import")
            return
        variables = [name, f"self.{name}"] if is_python else [name]
        declared = [each for each in variables if self._buffer.is_declared(each)]
        if declared and weight * TYPED_VARIABLE >= LEAST_EVIDENCE:
            held = (resolver.variable(each) for each in declared)
            value = next((each for each in held if each), None)
            self._value(value, weight * TYPED_VARIABLE, "type of a variable")
        elif not declared:
            self._unimported(name, weight)

    def _unimported(self, name: str, weight: float) -> None:
        points = weight * (
            UNIMPORTED if self._resolver.language == "python" else UNIMPORTED_ELSEWHERE
        )
        value = self._resolver.name(name) if points >= LEAST_EVIDENCE else None
        if value:
            self._value(value, points, "name")
        elif len(name) >= METHOD_LETTERS and weight * METHOD_BY_NAME >= LEAST_METHOD_EVIDENCE:
            methods = self._methods(name)
            if len(methods) <= METHOD_NAMESAKES:
                for method in methods:
                    self._symbol(method, weight * METHOD_BY_NAME / len(methods), "method's name")

    def _methods(self, name: str) -> list[Symbol]:
        return [each for each in self._index.members_named(name) if each.path != self._path]

    def _like_used(self, receiver: Chain, value: Value | None) -> None:
        """Evidence from members that the file uses on the receiver and that are not known of it:
        the class that has most of them, and the one that has most of the rest."""
        if value is None and receiver and receiver[0].name in self._resolver.imports:
            return  # a module from elsewhere
        known = _BUILT_IN
        if value and value.symbol:
            classes = (value.symbol, *self._resolver.bases(value.symbol))
            known = known.union(member.name for each in classes for member in each.members)
        used = (name for name in self._buffer.used_on(receiver) if name not in known)
        owners = self._owners(islice(used, USED_NAMES))
        for _ in range(USED_CLASSES):
            order = sorted(owners, key=lambda o: (-len(owners[o]), -nearness(self._path, o[0]), o))
            if not order or not owners[order[0]]:
                return
            found = owners.pop(order[0])
            if owner := self._resolver.lookup.owner(next(iter(found.values()))):
                points = LIKE_USED if len(found) > 1 else LIKE_USED_ONCE
                self._symbol(owner, points, "used like the receiver")
            for others in owners.values():
                for name in found:
                    others.pop(name, None)

    def _owners(self, names: Iterable[str]) -> dict[tuple[str, str], dict[str, Symbol]]:
        """The classes, by path and name, that have members of these names, and these members."""
        owners: dict[tuple[str, str], dict[str, Symbol]] = {}
        for name in names:
            methods = self._methods(name)
            if len(methods) <= USED_OWNERS:
                for method in methods:
                    owners.setdefault((method.path, method.container), {})[name] = method
        return owners

    def _like_named(self, receiver: Chain) -> None:
        """Evidence from an unresolved receiver: `user_profile` is likely a `UserProfile`."""
        if not receiver:
            return
        parts = words(receiver[-1].name) or (receiver[-1].name.lower(),)
        if sum(map(len, set(parts))) < LEAST_LIKE_NAMED:
            return
        scored = [
            (shared, nearness(self._path, symbol.path), symbol)
            for name, shared in (*_class_names(parts).items(), *self._imported_like(set(parts)))
            for symbol in self._index.named(name)
            if is_class(symbol) and symbol.path != self._path
        ]
        scored.sort(key=lambda each: (-each[0], -each[1], key(each[2])))
        for (shared, _, symbol), factor in zip(scored, (1.0, SECOND_LIKE_NAMED), strict=False):
            self._symbol(symbol, LIKE_NAMED * shared * factor, "named like the receiver")

    def _imported_like(self, parts: set[str]) -> Iterator[tuple[str, float]]:
        """Imported names that have all these parts and others: `client`, `HttpClient`."""
        for name in self._resolver.imports:
            others = set(words(name))
            if parts < others:
                yield name, len(parts) / len(others)

    def _value(self, value: Value | None, points: float, reason: str) -> None:
        if value is None:
            return
        if value.symbol:
            self._symbol(value.symbol, points, reason)
        elif points >= STRONG:
            for position, path in enumerate(value.paths[:MODULE_FILES]):
                if path != self._path:
                    self._add(path, None, points - MODULE_FILE_STEP * position, reason)

    def _symbol(self, symbol: Symbol, points: float, reason: str) -> None:
        if symbol.path != self._path or self._hidden(symbol):
            self._add(symbol.path, symbol, points, reason)

    def _add(self, path: str, symbol: Symbol | None, points: float, reason: str) -> None:
        if points < STRONG and self._resolver.lookup.is_installed(path):
            points *= INSTALLED
        new = Candidate(path, symbol, 0.0, reason)
        candidate = self._found.setdefault(new.identity, new)
        candidate.score += points
        if points >= STRONG:
            candidate.reason = reason


def _class_names(parts: Sequence[str]) -> dict[str, float]:
    """Names of classes that a variable made of these parts may hold, to the share of its parts."""
    runs = [(start, end) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)]
    return {
        "".join(part.capitalize() for part in parts[start:end]): (end - start) / len(parts)
        for start, end in runs
    }
