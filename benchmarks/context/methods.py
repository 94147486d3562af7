"""Ways to choose the context, each within the same budget of tokens."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

from lsp_server.context import similarity, store
from lsp_server.context.assembly import choose
from lsp_server.context.languages.table import language_of
from lsp_server.context.symbols import parse
from lsp_server.context.tokens import chunks
from lsp_server.context.types import Cursor, FileSymbols, Import, Symbol, Window
from lsp_server.evaluation.cursors import Case
from lsp_server.evaluation.published import CHUNKS_SHOWN, PublishedContext
from lsp_server.prompt.types import Snippet

BUDGET = 512
METHODS = ("none", "random", "published", "definitions", "similarity", "full")

Count = Callable[[str], int]


class Workspace:
    """A package indexed as an editor's workspace would be, in a temporary folder."""

    def __init__(self, files: Mapping[str, str], count: Count) -> None:
        self._files = files
        self._count = count
        self._folder = tempfile.TemporaryDirectory()
        self._index(Path(self._folder.name))
        self._published = PublishedContext(files)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._symbols.close()
        self._folder.cleanup()

    def context(self, method: str, case: Case) -> list[Snippet]:
        """What a method of METHODS shows for a cursor. `published` shows the chunks that follow
        those which were found, as CrossCodeEval does; figures of before showed the latter."""
        cursor = Cursor(case.path, "python", case.prefix, case.suffix)
        if method == "random":
            return self._random(case)
        if method == "published":
            return self._packed(self._published.best(case.path, case.prefix))
        if method == "definitions":
            return list(choose(cursor, self._symbols, _nothing, BUDGET, self._count).snippets)
        if method == "similarity":
            windows = partial(self._similarity.windows, cursor)
            return list(choose(cursor, _NoSymbols(), windows, BUDGET, self._count).snippets)
        if method == "full":
            windows = partial(self._similarity.windows, cursor)
            return list(choose(cursor, self._symbols, windows, BUDGET, self._count).snippets)
        return []

    def tokens(self, snippets: Iterable[Snippet]) -> int:
        """Tokens of a context, with a line for each snippet's path."""
        lines = (line for each in snippets for line in (each.path, *each.text.splitlines()))
        return sum(self._count(line + "\n") for line in lines)

    def _index(self, folder: Path) -> None:
        symbols = store.Writer(folder / "symbols.db")
        similar = similarity.Writer(folder / "similar")
        for path, text in self._files.items():
            language = language_of(path)
            stat = store.Stat(len(text), 0)
            symbols.put(store.encode(parse(path, text, language), stat))
            similar.put(path, chunks(path, text, language.name))
        symbols.commit()
        symbols.close()
        similar.commit()
        similar.close()
        self._symbols = store.Reader(folder / "symbols.db")
        reader = similarity.Reader(folder / "similar")
        lines = {path: text.split("\n") for path, text in self._files.items()}
        self._similarity = similarity.Similarity(lambda: reader, lines.get, _damaged)

    def _random(self, case: Case) -> list[Snippet]:
        others = [chunk for chunk in self._published.chunks if chunk.path != case.path]
        draw = random.Random(f"{case.path} {len(case.prefix)}")
        return self._packed(draw.sample(others, min(CHUNKS_SHOWN, len(others))))

    def _packed(self, snippets: Iterable[Snippet]) -> list[Snippet]:
        """The snippets one after another, cut at the line that the budget ends in."""
        left = BUDGET
        packed: list[Snippet] = []
        for snippet in snippets:
            left -= self._count(snippet.path + "\n")
            kept = []
            for line in snippet.text.splitlines(keepends=True):
                left -= self._count(line)
                if left < 0:
                    break
                kept.append(line)
            if kept:
                packed.append(Snippet(snippet.path, "".join(kept)))
            if left < 0:
                break
        return packed


class _NoSymbols:
    """A `SymbolIndex` of nothing."""

    def named(self, name: str) -> list[Symbol]:
        return []

    def members_named(self, name: str) -> list[Symbol]:
        return []

    def file(self, path: str) -> FileSymbols | None:
        return None

    def named_in(self, path: str, name: str) -> list[Symbol]:
        return []

    def imports(self, path: str) -> tuple[Import, ...]:
        return ()

    def modules(self, suffix: tuple[str, ...]) -> list[str]:
        return []

    def folder(self, parts: tuple[str, ...]) -> list[str]:
        return []

    def exists(self, path: str) -> bool:
        return False


def _damaged() -> None:
    raise RuntimeError("the index in the temporary folder is damaged")


def _nothing() -> list[Window]:
    return []


def cache_folder() -> Path:
    """Where downloads are kept; CODER_LSP_TEST_CACHE names another place."""
    root = Path(__file__).parents[2] / ".cache" / "tests"
    return Path(os.environ.get("CODER_LSP_TEST_CACHE") or root) / "sdists"
