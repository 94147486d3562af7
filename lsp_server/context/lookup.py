"""Names of modules, the workspace's and then installed ones: what they define, import and offer."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Literal, NamedTuple

from lsp_server.context.installed import Packages
from lsp_server.context.languages.table import language_of
from lsp_server.context.symbols import resolve
from lsp_server.context.types import FileSymbols, Import, Symbol, SymbolIndex

# How often a name is followed from the file that it is imported from to where that has it from.
REEXPORT_DEPTH = 3
# Files that define a name from which on an index may not have told of all of them.
FREQUENT = 16
# Files that stand for their folder.
_PACKAGE_FILES = frozenset({"__init__", "index", "mod", "lib"})


Key = tuple[str, int, str]


class Value(NamedTuple):
    """An instance of a class, a class, a function or variable, or a module, which may be several
    files."""

    kind: Literal["instance", "class", "definition", "module"]
    symbol: Symbol | None = None
    paths: tuple[str, ...] = ()


class Remembered:
    """A `SymbolIndex` that keeps its answers, for one request."""

    def __init__(self, index: SymbolIndex) -> None:
        self.named = cache(index.named)
        self.members_named = cache(index.members_named)
        self.named_in = cache(index.named_in)
        self.file = cache(index.file)
        self.imports = cache(index.imports)
        self.modules = cache(index.modules)
        self.folder = cache(index.folder)
        self.exists = cache(index.exists)


class Lookup:
    """Looks up for one request. The open document, `own`, is looked up as it is now; in `packages`
    what it imports and the workspace, `index`, does not have."""

    def __init__(
        self, own: FileSymbols, index: SymbolIndex, packages: Packages | None = None
    ) -> None:
        self.index: SymbolIndex = Remembered(index)
        self.packages = packages or Packages()
        self._own = own
        self._resolved: dict[tuple[Import, str], list[str]] = {}
        self._places: dict[str, dict[str, list[Symbol]]] = {}
        self._reached: dict[str, frozenset[str] | None] = {}

    def file(self, path: str) -> FileSymbols | None:
        """What a file defines and imports, the open document's own included."""
        if path == self._own.path:
            return self._own
        return self.index.file(path) or self.packages.file(path)

    def owner(self, symbol: Symbol) -> Symbol | None:
        """The class that a member is of."""
        file = self.file(symbol.path) if symbol.container else None
        around, owner = (file.symbols if file else ()), None
        for name in symbol.container.split("."):
            owner = next((s for s in around if s.name == name and is_class(s)), None)
            around = owner.members if owner else ()
        return owner

    def resolved(self, imported: Import, by: str) -> list[str]:
        """Paths of the modules that an import of a file means."""
        if (imported, by) not in self._resolved:
            self._resolved[imported, by] = self._resolve(imported, by)
        return self._resolved[imported, by]

    def is_installed(self, path: str) -> bool:
        """Whether a path is an installed package's and not the workspace's."""
        return path != self._own.path and not self.index.exists(path)

    def module_names(self, path: str) -> list[Symbol]:
        """What a module offers: its definitions, and what a package's file, or one that does little
        else, imports to offer it. The latter are mere names, whose definition `defined` finds."""
        file = self.file(path)
        if file is None:
            return []
        symbols = list(file.symbols)
        if not _is_package(path) and len(symbols) >= len(file.imports):
            return symbols
        for imported in file.imports:
            if imported.name == "*":
                for star in self.resolved(imported, path):
                    inner = self.file(star)
                    symbols += [s for s in inner.symbols if s.name[0] != "_"] if inner else ()
            elif imported.name:
                line, name = imported.line, imported.alias
                symbols.append(Symbol(name, "variable", path, line, line, name))
        return symbols

    def defined(self, symbol: Symbol) -> Symbol:
        """The definition of one of `module_names`; itself where that is not in the workspace."""
        if symbol.signature != symbol.name:
            return symbol
        value = self.find(symbol.path, symbol.name)
        return value.symbol if value and value.symbol else symbol

    def module_attribute(self, module: Value, name: str) -> Value | None:
        for path in module.paths:
            if value := self.find(path, name):
                return value
        for path in module.paths:
            folder = path.split("/")[:-1]
            modules = (self.packages if self.is_installed(path) else self.index).modules
            inside = modules((*folder, name))
            exact = tuple(each for each in inside if each.startswith("/".join([*folder, name])))
            if exact:
                return Value("module", paths=exact)
        return None

    def from_module(self, imported: Import, by: str, depth: int) -> Value | None:
        """What `from module import name` gives: a definition of the module, or a module in it."""
        # no module at all: a file's own name, exported under another one
        paths = [path for path in self.resolved(imported, by) if path != by or not imported.module]
        names = [imported.name]
        if imported.name == "default":  # what that is called, its importer need not know
            names += [imported.alias]
        for path in paths:
            for name in names:
                if not _is_submodule(path, imported) and (value := self.find(path, name, depth)):
                    return value
        modules = tuple(path for path in paths if self._is_module(path, imported.name))
        return Value("module", paths=modules) if modules else None

    def find(self, path: str, name: str, depth: int = 0) -> Value | None:
        """A name of a file: defined there, or imported there from where it is."""
        for symbol in self._named_in(path, name):
            return value_of(symbol)
        reach = self._reach(path)
        if reach is not None and reach.isdisjoint(self._named(name)):
            return None
        imports = self._imports(path) if depth < REEXPORT_DEPTH else ()
        for imported in sorted(imports, key=_is_star):
            if imported.name == "*":
                found = self._star(imported, path, name, depth + 1)
            elif imported.alias != name:
                continue
            elif imported.name:
                found = self.from_module(imported, path, depth + 1)
            else:
                found = Value("module", paths=tuple(self.resolved(imported, path)))
            if found and (found.symbol or found.paths):
                return found
        return None

    def starred(self, name: str) -> Value | None:
        """A name that a star may have brought into the open document."""
        if not self._starred:
            return None
        places, reach = self._named(name), self._starred_reach
        if reach is not None and len(places) < FREQUENT and reach.isdisjoint(places):
            return None
        found = (self.find(path, name) for path in self._starred)
        return next((value for value in found if value), None)

    @cached_property
    def _starred(self) -> list[str]:
        """The files that the open document's stars mean."""
        own = self._own.path
        paths = (
            path
            for star in self._own.imports
            if _is_star(star)
            for path in self.resolved(star, own)
        )
        return [path for path in paths if path != own]

    @cached_property
    def _starred_reach(self) -> frozenset[str] | None:
        """The files that stars bring definitions of; None where it may be others, too."""
        reached = [self._reach(path) for path in self._starred]
        known = [each for each in reached if each is not None]
        return frozenset(self._starred).union(*known) if len(known) == len(reached) else None

    def _star(self, imported: Import, by: str, name: str, depth: int) -> Value | None:
        """A name that a star may have brought. Stars of stars are not followed in the workspace,
        since whole packages hang on them: any definition in the starred package will do, the
        nearest to its top first."""
        paths = [path for path in self.resolved(imported, by) if path != by]
        for path in paths:
            for symbol in self._named(name).get(path, ()):
                return value_of(symbol)
            if self.is_installed(path) and (value := self.find(path, name, depth)):
                return value
        folders = tuple(path.rpartition("/")[0] + "/" for path in paths if _is_package(path))
        inside = [
            s for s in self.index.named(name) if s.path.startswith(folders) and not s.container
        ]
        nearest = min(inside, key=lambda s: (s.path.count("/"), s.path), default=None)
        return value_of(nearest) if nearest else None

    def _reach(self, path: str) -> frozenset[str] | None:
        """The files whose definitions are all that a file's imports bring, as includes do; None
        where imports bring more."""
        if path not in self._reached:
            self._reached[path] = self._included(path) if self.packages.is_empty else None
        return self._reached[path]

    def _included(self, path: str) -> frozenset[str] | None:
        imports = self._imports(path)
        if not all(map(_is_star, imports)):
            return None
        found = frozenset(each for one in imports for each in self.resolved(one, path))
        return None if any(map(_is_package, found)) else found

    def _is_module(self, path: str, name: str) -> bool:
        """Whether a file is the module that an import names; a package's declarations are what they
        export by default, since those for `require` do not say it."""
        return _is_named(path, name) or (name == "default" and self.is_installed(path))

    def _imports(self, path: str) -> tuple[Import, ...]:
        if path == self._own.path:
            return self._own.imports
        return (self.packages if self.is_installed(path) else self.index).imports(path)

    def _named_in(self, path: str, name: str) -> list[Symbol]:
        """The definitions of a name at the top of a file."""
        if path == self._own.path:
            return [symbol for symbol in self._own.symbols if symbol.name == name]
        if self.is_installed(path):
            return self.packages.named_in(path, name)
        places = self._named(name)
        if path in places or len(places) < FREQUENT:
            return places.get(path, [])
        return [each for each in self.index.named_in(path, name) if not each.container]

    def _named(self, name: str) -> dict[str, list[Symbol]]:
        """The definitions of a name at the top of the workspace's files, by path; not of all files
        for a frequent name."""
        if name not in self._places:
            places = self._places[name] = {}
            for symbol in self.index.named(name):
                if not symbol.container:
                    places.setdefault(symbol.path, []).append(symbol)
        return self._places[name]

    def _resolve(self, imported: Import, by: str) -> list[str]:
        if not self.is_installed(by):
            language = language_of(by, self._own.language if by == self._own.path else "")
            if found := resolve(language, imported, by, self.index):
                return found
        return [path for path in self.packages.resolve(imported, by) if self.is_installed(path)]


def key(symbol: Symbol) -> Key:
    """What tells a symbol from all others, quickly."""
    return symbol.path, symbol.line, symbol.name


def is_class(symbol: Symbol) -> bool:
    """Whether a symbol names a type."""
    return symbol.kind in ("class", "type")


def nearness(path: str, other: str) -> float:
    """How many folders two paths share, less a tenth for each further folder of the other."""
    folders, others = path.split("/")[:-1], other.split("/")[:-1]
    shared = 0
    for one, two in zip(folders, others, strict=False):
        if one != two:
            break
        shared += 1
    return shared - 0.1 * (len(others) - shared)


def _is_star(imported: Import) -> bool:
    return imported.name == "*"


def value_of(symbol: Symbol) -> Value:
    return Value("class" if is_class(symbol) else "definition", symbol)


def _is_named(path: str, name: str) -> bool:
    """Whether a file is the module of that name: `a/name.py` or `a/name/__init__.py`."""
    *folders, file = path.split("/")
    return file.partition(".")[0] == name or (_is_package(path) and folders[-1:] == [name])


def _is_submodule(path: str, imported: Import) -> bool:
    """Whether a path is the module that a Python import names in a package, and not one that the
    import takes a definition from: `from package import module`."""
    if not path.endswith((".py", ".pyi")) or imported.module.split(".")[-1] == imported.name:
        return False
    return _is_named(path, imported.name)


def _is_package(path: str) -> bool:
    return path.rpartition("/")[2].partition(".")[0] in _PACKAGE_FILES
