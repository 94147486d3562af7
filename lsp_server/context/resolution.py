"""What names and expressions of the open buffer stand for, in the symbols of the workspace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lsp_server.context.buffer import IDENTIFIER, Buffer
from lsp_server.context.expressions import Chain, Link, chain_of
from lsp_server.context.installed import Packages
from lsp_server.context.lookup import Key, Lookup, Value, is_class, key, nearness, value_of
from lsp_server.context.types import Import, Symbol, SymbolIndex

# How far a chain of assignments, calls and re-exports is followed.
EXPRESSION_DEPTH = 5
BASE_DEPTH = 4
# More definitions of one name than these say nothing, where imports are needed to use one.
AMBIGUOUS = 4
# Assignments of one variable that are looked at.
ASSIGNMENTS = 4

_SELF = frozenset({"self", "this", "cls", "Self"})
# Members are used without `this` in these.
_IMPLICIT_THIS = frozenset({"java", "c-sharp", "cpp", "kotlin", "swift"})
# Names of other files are seen without importing each in these.
_IMPLICIT_IMPORTS = frozenset({"java", "c-sharp", "cpp", "c", "go", "kotlin", "swift"})
_CONSTRUCTORS = frozenset({"__init__", "constructor"})
# The types of mappings up to what they map from, of which nothing is wanted.
_MAPPED_FROM = re.compile(
    r"\b(?:\w*(?:[Dd]ict|Map|Mapping|Record|Dictionary)[\[<][^,]*,|map\[[^]]*\])"
)
# A container passes for its elements, and so does what these methods of containers give.
_OF_CONTAINERS = frozenset(
    [
        *(
            "all",
            "at",
            "borrow",
            "borrow_mut",
            "clone",
            "copied",
            "copy",
            "filter",
            "find",
            "first",
        ),
        *("get", "get_mut", "items", "iter", "iter_mut", "last", "lock", "next", "orElse", "pop"),
        *("orElseThrow", "popitem", "popleft", "reverse", "setdefault", "shift", "slice", "stream"),
        *("unwrap", "unwrap_or_default", "values"),
    ]
)


class Resolver:
    """Resolves for one buffer. Answers are kept, so one is made for each request."""

    def __init__(
        self, buffer: Buffer, index: SymbolIndex, packages: Packages | None = None
    ) -> None:
        self.buffer = buffer
        self.lookup = Lookup(buffer.symbols, index, packages)
        self.index = self.lookup.index
        self.path = buffer.cursor.path
        self.language = buffer.cursor.language
        self.imports: dict[str, list[Import]] = {}
        for imported in buffer.symbols.imports:
            self.imports.setdefault(imported.alias, []).append(imported)
        self._own = {symbol.name: symbol for symbol in reversed(buffer.symbols.symbols)}
        self._names: dict[str, Value | None] = {}
        self._bases: dict[Key, list[Symbol]] = {}

    def at_cursor(self, chain: Chain) -> Value | None:
        """What a chain that stands at the cursor is; a variable is what it holds."""
        value = self._chain(chain, len(self.buffer.cursor.prefix))
        return self._held(value) or value

    def callee(self, chain: Chain) -> Value | None:
        """The function or class that a call at the cursor is of."""
        uncalled = (*chain[:-1], Link(chain[-1].name, False))
        return self._chain(uncalled, len(self.buffer.cursor.prefix))

    def variable(self, name: str) -> Value | None:
        """What a variable holds at the cursor, by what the buffer says of it."""
        return self._variable(name, len(self.buffer.cursor.prefix), 1)

    def name(self, name: str) -> Value | None:
        """What a name of the buffer stands for."""
        if name not in self._names:
            self._names[name] = self._name(name)
        return self._names[name]

    def bases(self, symbol: Symbol) -> list[Symbol]:
        """A class's bases and their bases, nearest first."""
        found = self._bases.get(key(symbol))
        if found is None:
            unique = {key(base): base for base in self._all_bases(symbol, 0)}
            found = self._bases[key(symbol)] = list(unique.values())
        return found

    def nearest(self, symbols: Iterable[Symbol]) -> Symbol | None:
        """The one whose file is nearest to the buffer's; classes first."""
        return max(
            symbols,
            key=lambda s: (is_class(s), nearness(self.path, s.path), -len(s.path), s.path, -s.line),
            default=None,
        )

    def _name(self, name: str) -> Value | None:
        for imported in reversed(self.imports.get(name, [])):
            if value := self._imported(imported):
                return value
        if name in self.imports and self.language == "python":
            return None
        if value := self.lookup.starred(name):
            return value
        own = self.buffer.classes.get(name) or self._own.get(name)
        return value_of(own) if own else self._by_name(name)

    def _by_name(self, name: str) -> Value | None:
        """A name that is neither imported nor defined here: the nearest definition anywhere."""
        found = [symbol for symbol in self.index.named(name) if symbol.path != self.path]
        if self.language == "python":
            found = [symbol for symbol in found if symbol.kind == "class"]
        if len(found) > AMBIGUOUS and self.language not in _IMPLICIT_IMPORTS:
            return None
        nearest = self.nearest(found)
        return value_of(nearest) if nearest else None

    def _imported(self, imported: Import) -> Value | None:
        if not imported.name:
            first, _, rest = imported.module.partition(".")
            if rest and imported.alias == first:  # `import a.b` makes `a` known
                imported = Import(first, "", first, imported.line)
            paths = self.lookup.resolved(imported, self.path)
            return Value("module", paths=tuple(paths)) if paths else None
        return self.lookup.from_module(imported, self.path, 0)

    def _types(self, text: str, path: str) -> Iterator[Symbol]:
        """The classes that a type's text in a file names, in its order."""
        for dotted in re.findall(r"[A-Za-z_][\w.:]*", text):
            names = [name for name in re.split(r"[.:]+", dotted) if name]
            value = self._dotted_type(names, path) if len(names) > 1 else None
            if value is None:
                name = names[-1]
                value = self.name(name) if path == self.path else self._type_name(name, path)
            if value and value.symbol and value.kind == "class":
                yield value.symbol

    def _dotted_type(self, names: list[str], path: str) -> Value | None:
        """A type by its module or outer class: `module.Class`."""
        chain = tuple(Link(name, False) for name in names)
        if path == self.path:
            value, used = self._dotted_module(chain) or (self.name(names[0]), 1)
        else:
            value, used = self.lookup.find(path, names[0]), 1
        for link in chain[used:]:
            value = self._attribute(value, link, 0, EXPRESSION_DEPTH) if value else None
        return value if value and value.kind == "class" else None

    def _type_name(self, name: str, path: str) -> Value | None:
        value = self.lookup.find(path, name)
        if value is None and self.language != "python" and not self.lookup.is_installed(path):
            classes = [symbol for symbol in self.index.named(name) if is_class(symbol)]
            nearest = max(classes, key=lambda s: (nearness(path, s.path), s.path), default=None)
            return value_of(nearest) if nearest else None
        return value

    def _instance(self, text: str, path: str, depth: int) -> Value | None:
        """An instance of the type that a text in a file names, or of what the function returns that
        it calls."""
        for symbol in self._types(_MAPPED_FROM.sub("", text), path):
            return Value("instance", symbol)
        chain = chain_of(text)
        if len(chain) == 1 and chain[0].called and depth < EXPRESSION_DEPTH:
            value = self.lookup.find(path, chain[0].name)
            if value and value.kind == "definition":
                return self._called(value, depth + 1)
        return None

    def _all_bases(self, symbol: Symbol, depth: int) -> Iterator[Symbol]:
        for text in symbol.bases if depth <= BASE_DEPTH else ():
            base = next(self._types(text.split("[")[0].split("<")[0], symbol.path), None)
            if base and key(base) != key(symbol):
                yield base
                yield from self._all_bases(base, depth + 1)

    def _variable(self, name: str, before: int, depth: int) -> Value | None:
        if depth > EXPRESSION_DEPTH:
            return None
        for declared in self.buffer.declared(name, before)[:ASSIGNMENTS]:
            if declared.is_type:
                value = self._instance(declared.text, self.path, depth)
            else:
                # what is assigned was computed before: `x = x.f()` speaks of an older x
                chain = chain_of(declared.text)
                value = self._held(self._chain(chain, declared.position, depth + 1))
            if value:
                return value
        return None

    def _chain(self, chain: Chain, before: int, depth: int = 0) -> Value | None:
        if not chain or depth > EXPRESSION_DEPTH:
            return None
        value, used = self._start(chain, before, depth)
        return self._along(value, chain[used:], before, depth)

    def _along(self, value: Value | None, chain: Chain, before: int, depth: int) -> Value | None:
        """What the members give that follow a value, one after the other."""
        if depth > EXPRESSION_DEPTH:
            return None
        for link in chain:
            if value is None:
                return None
            value = self._attribute(self._held(value) or value, link, before, depth)
        return value

    def _start(self, chain: Chain, before: int, depth: int) -> tuple[Value | None, int]:
        """What a chain starts with, and how many of its names that takes."""
        first, enclosing = chain[0], self.buffer.enclosing
        if first.name in _SELF and len(chain) > 1:
            return self._of_self(enclosing, chain[1], before, depth), 2
        if first.name in _SELF and enclosing:
            return Value("instance", enclosing), 1
        if enclosing and (
            first.name == "super" or (first.name, self.language) == ("base", "c-sharp")
        ):
            bases = self.bases(enclosing)
            return (Value("instance", bases[0]) if bases else None), 1
        value = None
        if not first.called and first.name not in self.imports:
            value = self._variable(first.name, before, depth + 1)
        if value is None and (dotted := self._dotted_module(chain)):
            return dotted
        if value is None:
            value = self._called_if(first, self.name(first.name), depth)
        if value is None and enclosing and self.language in _IMPLICIT_THIS:
            value = self._member_value(enclosing, first, before, depth)
        return value, 1

    def _of_self(self, own: Symbol | None, link: Link, before: int, depth: int) -> Value | None:
        if not link.called:
            name = f"self.{link.name}" if self.language == "python" else link.name
            if value := self._variable(name, before, depth + 1):
                return value
        return self._member_value(own, link, before, depth) if own else None

    def _dotted_module(self, chain: Chain) -> tuple[Value, int] | None:
        """The module that the start of a chain names as it was imported: `import a.b`."""
        names = [link.name for link in chain]
        for imported in self.imports.get(names[0], ()):
            parts = imported.module.split(".")
            if not imported.name and len(parts) > 1 and names[: len(parts)] == parts:
                paths = self.lookup.resolved(imported, self.path)
                if paths:
                    return Value("module", paths=tuple(paths)), len(parts)
        return None

    def _attribute(self, value: Value, link: Link, before: int, depth: int) -> Value | None:
        if value.kind == "module":
            return self._called_if(link, self.lookup.module_attribute(value, link.name), depth)
        if value.symbol and value.kind in ("instance", "class"):
            return self._member_value(value.symbol, link, before, depth)
        return None

    def _member_value(self, owner: Symbol, link: Link, before: int, depth: int) -> Value | None:
        """What a member of a class gives: a variable's type, a called method's return type."""
        for holder in (owner, *self.bases(owner)):
            for member in holder.members:
                if member.name == link.name:
                    return self._of_member(owner, holder, member, link, before, depth)
        if link.called and link.name in _OF_CONTAINERS and self._is_whole(owner):
            return Value("instance", owner)
        return None

    def _is_whole(self, owner: Symbol) -> bool:
        """Whether all members that a class inherits are known."""
        classes = (owner, *self.bases(owner))
        return all(
            next(self._types(base, each.path), None) for each in classes for base in each.bases
        )

    def _of_member(
        self, owner: Symbol, holder: Symbol, member: Symbol, link: Link, before: int, depth: int
    ) -> Value | None:
        """What a member gives that the class `owner` has from `holder`."""
        if is_class(member):
            return self._called_if(link, Value("class", member), depth)
        if member.kind == "function" and not link.called:
            return Value("definition", member)
        if not member.type:
            return None
        if holder.path == self.path and member.kind == "variable":
            name = f"self.{member.name}" if self.language == "python" else member.name
            if value := self._variable(name, before, depth + 1):
                return value
        chain = chain_of(member.type)
        if chain and chain[0].name in _SELF:
            return self._along(Value("instance", owner), chain[1:], before, depth + 1)
        return self._instance(_type_of_member(holder, member), member.path, depth)

    def _called_if(self, link: Link, value: Value | None, depth: int) -> Value | None:
        return self._called(value, depth) if link.called else value

    def _called(self, value: Value | None, depth: int) -> Value | None:
        if value is None or value.symbol is None:
            return value
        if value.kind == "class":
            return Value("instance", value.symbol)
        if value.kind == "definition":
            return self._instance(value.symbol.type, value.symbol.path, depth)
        return value

    def _held(self, value: Value | None) -> Value | None:
        """What a variable of another file holds; of anything else, itself."""
        if value and value.kind == "definition" and value.symbol:
            if value.symbol.kind == "function":
                return None
            return self._instance(value.symbol.type, value.symbol.path, 1)
        return value


def _type_of_member(holder: Symbol, member: Symbol) -> str:
    """A member's type; of `self.x = x`, what the constructor says of its parameter x."""
    if IDENTIFIER.fullmatch(member.type) and member.kind == "variable":
        parameter = re.compile(rf"\b{member.type}\s*:\s*([^=,)]+)")
        for other in holder.members:
            if other.name in _CONSTRUCTORS and (match := parameter.search(other.signature)):
                return match.group(1)
    return member.type
