"""Chunks of the workspace that resemble the text around the cursor, by BM25.

A tantivy index on disk holds each chunk's terms, its path and its first line; the text itself is
read from the file or the open buffer when it is shown. tantivy fixes k1 at 1.2 and b at 0.75;
between 0.9 and 2, and 0.4 and 1, they made no difference to what is found. Nor did it matter how
often a term is in a chunk, which would take a quarter of the index: it counts as once.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

import tantivy
from tantivy import Occur, Query

from lsp_server.context.alignment import Match, lines_after, lines_before, windows
from lsp_server.context.tokens import Chunk, chunks, terms
from lsp_server.context.types import Cursor, Window

T = TypeVar("T")

K1, B = 1.2, 0.75
MOST_MATCHES = 12
CACHED_TERMS = 4096
TERMS, FEW_OCCURRENCES, OCCURRENCES = 32, 50_000, 400_000
"""Asked of the index: the most telling terms, and others while all occur in few chunks, since each
such chunk is looked at. More found nothing more in indexes of 86,000 and of 2,800,000 chunks, and
took twice as long. Nor are frequent ones asked for with which there would be more occurrences than
the last number: in the larger index that took another 2.5 times as long, with the same recall."""

_LINES_BEFORE, _LINES_AFTER = 12, 6
_DECAY, _CURRENT_WEIGHT = 0.75, 1.5
_WRITER_BYTES = 50_000_000
_SCHEMA = (
    tantivy.SchemaBuilder()
    .add_text_field("path", stored=True, tokenizer_name="raw", index_option="basic")
    .add_text_field("terms", tokenizer_name="whitespace", index_option="basic")
    .add_unsigned_field("line", stored=True)
    .build()
)


class IndexDamagedError(Exception):
    """The index cannot be read or written: it is damaged, missing or of another version."""


class Writer:
    """The one writer of an index; it is made in `folder` when missing.

    Nothing is on disk before `commit`. Raises IndexDamagedError.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        index = _guarded(lambda: tantivy.Index(_SCHEMA, str(folder)))
        # one thread, since the readers' processes and the parsers want the other cores
        self._writer = _guarded(lambda: index.writer(_WRITER_BYTES, 1))

    def put(self, path: str, found: Iterable[Chunk]) -> None:
        """Store a file's chunks in place of what was stored under its path."""
        self.remove(path)
        for chunk in found:
            self._writer.add_document(
                tantivy.Document(path=path, terms=chunk.terms, line=chunk.first_line)
            )

    def remove(self, path: str) -> None:
        """Forget a file; nothing happens when it is not stored."""
        self._writer.delete_documents_by_term("path", path)

    def commit(self) -> None:
        """Make all since the last commit visible to readers that reload, at once."""
        _guarded(self._writer.commit)

    def close(self) -> None:
        """Wait for the merging of segments; what was not committed is lost."""
        _guarded(self._writer.wait_merging_threads)


class Reader:
    """An index as of the last `reload`; may be used from any thread. Raises IndexDamagedError."""

    def __init__(self, folder: Path) -> None:
        self._index = _guarded(lambda: tantivy.Index.open(str(folder)))
        self._index.config_reader("manual")
        self._look()

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return int(self._searcher.num_docs)

    def reload(self) -> None:
        """See what was committed."""
        _guarded(self._index.reload)
        self._look()

    def frequency(self, term: str) -> int:
        """In how many chunks a term occurs."""
        return self._frequency(term)

    def search(self, weights: dict[str, float], without: Collection[str]) -> list[Match]:
        """The best chunks for weighted terms, best first, none from the paths `without`."""
        searcher = self._searcher
        clauses = [
            (Occur.Should, Query.boost_query(_term("terms", term), weight))
            for term, weight in weights.items()
        ]
        clauses += [(Occur.MustNot, _term("path", path)) for path in without]
        query = Query.boolean_query(clauses)
        hits = _guarded(lambda: searcher.search(query, MOST_MATCHES, count=False).hits)
        return [_match(searcher, score, address) for score, address in hits]

    def _look(self) -> None:
        searcher = self._searcher = _guarded(self._index.searcher)

        @lru_cache(CACHED_TERMS)
        def frequency(term: str) -> int:
            return _guarded(lambda: int(searcher.doc_freq("terms", term)))

        self._frequency = frequency


class Similarity:
    """Finds what resembles the text around a cursor, in the index and in open buffers.

    `stored` gives the index of the moment, None while there is none; `lines` a file's lines from
    the disk, None when it may not or cannot be read; `on_damage` is called, from any thread, when
    the index turns out to be damaged.
    """

    def __init__(
        self,
        stored: Callable[[], Reader | None],
        lines: Callable[[str], Sequence[str] | None],
        on_damage: Callable[[], None],
    ) -> None:
        self._stored = stored
        self._on_damage = on_damage
        self._lines = lines
        self._buffers: dict[str, _Buffer] = {}

    def put(self, path: str, language: str, text: str) -> None:
        """Take an open buffer's text; the index no longer speaks for that path."""
        self._buffers = {**self._buffers, path: _Buffer(path, language, text)}

    def remove(self, path: str) -> None:
        """Let the index speak for this path again."""
        self._buffers = {key: each for key, each in self._buffers.items() if key != path}

    def windows(self, cursor: Cursor) -> list[Window]:
        """At most 8 pieces of other files that resemble the cursor's surroundings, best first."""
        weights = weighted_terms(cursor)
        if not weights:
            return []
        buffers = {key: each for key, each in self._buffers.items() if key != cursor.path}
        try:
            matches = _search(weights, buffers, cursor.path, self._stored())
        except IndexDamagedError:
            self._on_damage()
            matches = _search(weights, buffers, cursor.path, None)
        best = heapq.nlargest(MOST_MATCHES, matches, key=lambda match: match.score)
        return windows(cursor, self._with_lines(best, buffers))

    def _with_lines(
        self, matches: list[Match], buffers: dict[str, _Buffer]
    ) -> Iterator[tuple[Match, Sequence[str]]]:
        for match in matches:
            buffer = buffers.get(match.path)
            lines = buffer.lines if buffer else self._lines(match.path)
            if lines:
                yield match, lines


def weighted_terms(cursor: Cursor) -> dict[str, float]:
    """The terms of the last 12 filled lines before the cursor and the next 6 after it, each
    weighted by its distance in lines; the cursor's own line counts most."""
    weights: defaultdict[str, float] = defaultdict(float)
    for distance, line in enumerate(reversed(lines_before(cursor)[-_LINES_BEFORE:])):
        weight = _DECAY**distance if distance else _CURRENT_WEIGHT
        for term in terms(line, cursor.language):
            weights[term] += weight
    for distance, line in enumerate(lines_after(cursor.suffix)[:_LINES_AFTER], 1):
        for term in terms(line, cursor.language):
            weights[term] += _DECAY**distance
    return dict(weights)


class _Buffer:
    """An open buffer; its chunks are made when they are first searched."""

    def __init__(self, path: str, language: str, text: str) -> None:
        self.path = path
        self._language = language
        self._text = text

    @cached_property
    def lines(self) -> list[str]:
        return self._text.split("\n")

    @cached_property
    def chunks(self) -> list[tuple[int, int]]:
        """First line, and count of all terms."""
        return [(each.first_line, each.terms.count(" ") + 1) for each in self._found]

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """For each term, the chunks that it is in."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for number, chunk in enumerate(self._found):
            for term in set(chunk.terms.split()):
                places[term].append(number)
        return dict(places)

    @cached_property
    def _found(self) -> list[Chunk]:
        return list(chunks(self.path, self._text, self._language))


def _search(
    weights: dict[str, float], buffers: dict[str, _Buffer], path: str, reader: Reader | None
) -> list[Match]:
    if reader is None:
        return _search_buffers(weights, list(buffers.values()), {}, 0)
    frequencies = {term: reader.frequency(term) for term in weights}
    weights = _most_telling(weights, frequencies, reader.chunks)
    on_disk = reader.search(weights, {path, *buffers})
    return on_disk + _search_buffers(weights, list(buffers.values()), frequencies, reader.chunks)


def _most_telling(
    weights: dict[str, float], frequencies: Mapping[str, int], total: int
) -> dict[str, float]:
    """The terms with the most weight and rarity, as many as are worth their time."""
    told: dict[str, float] = {}
    occurrences = 0
    for term in sorted(
        weights, key=lambda term: -weights[term] * _rarity(frequencies[term], total)
    ):
        with_it = occurrences + frequencies[term]
        if with_it <= (OCCURRENCES if len(told) < TERMS else FEW_OCCURRENCES):
            told[term], occurrences = weights[term], with_it
    return told


def _search_buffers(
    weights: dict[str, float],
    buffers: list[_Buffer],
    frequencies: Mapping[str, int],
    others: int,
) -> list[Match]:
    """BM25 as tantivy computes it, so that the scores compare with those from the index, where
    there are `others` chunks, and so many with each term."""
    lengths = [length for buffer in buffers for _, length in buffer.chunks]
    if not lengths:
        return []
    average = sum(lengths) / len(lengths)
    scores: defaultdict[tuple[int, int], float] = defaultdict(float)
    for term, weight in weights.items():
        here = [
            (at, places) for at, each in enumerate(buffers) if (places := each.places.get(term))
        ]
        if not here:
            continue
        frequency = frequencies.get(term, 0) + sum(len(places) for _, places in here)
        rarity = _rarity(frequency, others + len(lengths))
        for at, places in here:
            chunks_here = buffers[at].chunks
            for number in places:
                norm = K1 * (1 - B + B * chunks_here[number][1] / average)
                scores[at, number] += weight * rarity * (K1 + 1) / (1 + norm)
    best = heapq.nlargest(MOST_MATCHES, scores, key=lambda each: scores[each])
    return [
        Match(buffers[at].path, buffers[at].chunks[number][0], scores[at, number])
        for at, number in best
    ]


def _rarity(frequency: int, total: int) -> float:
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def _term(field: str, value: str) -> Query:
    return Query.term_query(_SCHEMA, field, value, "basic")


def _match(searcher: tantivy.Searcher, score: float, address: tantivy.DocAddress) -> Match:
    document = _guarded(lambda: searcher.doc(address))
    return Match(document["path"][0], document["line"][0], score)


def _guarded(call: Callable[[], T]) -> T:
    """tantivy's errors under one name. What it does not expect of a file it panics about, and that
    arrives as an exception that is no `Exception`."""
    try:
        return call()
    except (ValueError, OSError, RuntimeError) as error:
        raise IndexDamagedError(str(error)) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise IndexDamagedError("tantivy panicked") from error
        raise
