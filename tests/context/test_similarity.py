from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from lsp_server.context import similarity
from lsp_server.context.alignment import Match
from lsp_server.context.similarity import (
    IndexDamagedError,
    Reader,
    Similarity,
    Writer,
    weighted_terms,
)
from lsp_server.context.tokens import Chunk, chunks
from lsp_server.context.types import Cursor


def unreachable() -> None:
    raise AssertionError("the index is not damaged")


def cursor(prefix: str, suffix: str = "", path: str = "mine.py") -> Cursor:
    return Cursor(path, "python", prefix, suffix)


def indexed(folder: Path, files: dict[str, str]) -> Reader:
    writer = Writer(folder)
    for path, text in files.items():
        writer.put(path, chunks(path, text, "python"))
    writer.commit()
    writer.close()
    return Reader(folder)


class LuceneOkapi(BM25Okapi):  # type: ignore[misc]
    """rank_bm25's scores with the rarity that tantivy and Lucene use, which is never negative, and
    with a term counted once in a document, however often it is there."""

    def _initialize(self, corpus: list[list[str]]) -> Any:
        frequencies = super()._initialize(corpus)
        for document in self.doc_freqs:
            document.update(dict.fromkeys(document, 1))
        return frequencies

    def _calc_idf(self, nd: dict[str, int]) -> None:
        for word, count in nd.items():
            self.idf[word] = math.log(1 + (self.corpus_size - count + 0.5) / (count + 0.5))


def corpus(seed: int) -> list[list[str]]:
    """Documents of at most 40 terms, which is as far as tantivy keeps lengths exactly; terms as
    common as in a language."""
    dice = random.Random(seed)
    words = [f"w{number}" for number in range(300)]
    rarity = [1 / (1 + number) for number in range(300)]
    return [dice.choices(words, rarity, k=dice.randint(5, 40)) for _ in range(400)]


def oracle(bm25: Any, weights: dict[str, float]) -> Any:
    return sum(weight * bm25.get_scores([term]) for term, weight in weights.items())


WEIGHTS = {"w3": 1.5, "w40": 1.0, "w41": 0.75, "w100": 0.56, "w7": 2.0, "missing": 1.0}


@pytest.fixture(params=range(3))
def documents(request: pytest.FixtureRequest) -> list[list[str]]:
    return corpus(request.param)


def search(folder: Path, documents: list[list[str]], without: set[str]) -> list[Match]:
    writer = Writer(folder)
    for number, words in enumerate(documents):
        writer.put(f"{number}", [Chunk(number, " ".join(words))])
    writer.commit()
    return Reader(folder).search(WEIGHTS, without)


def test_scores_are_those_of_rank_bm25(tmp_path: Path, documents: list[list[str]]) -> None:
    expected = oracle(LuceneOkapi(documents, k1=similarity.K1, b=similarity.B), WEIGHTS)
    found = search(tmp_path, documents, set())
    assert len(found) == similarity.MOST_MATCHES
    for match in found:
        assert match.score == pytest.approx(expected[match.first_line], rel=1e-4)
    best = np.sort(expected)[::-1][: len(found)]
    assert [match.score for match in found] == pytest.approx(best, rel=1e-4)


def test_the_published_baseline_finds_much_the_same(
    tmp_path: Path, documents: list[list[str]]
) -> None:
    ranked = np.argsort(oracle(BM25Okapi(documents), WEIGHTS))[::-1]
    found = {match.first_line for match in search(tmp_path, documents, set())}
    assert len(found & set(ranked[: len(found)])) >= 0.5 * len(found)


def test_open_buffers_are_scored_as_the_index_scores(
    tmp_path: Path, documents: list[list[str]]
) -> None:
    buffers = [
        similarity._Buffer(f"{number}", "", "\n" * number + " ".join(words))
        for number, words in enumerate(documents)
    ]
    for number, words in enumerate(documents):  # without the terms of the path
        buffers[number]._found = [Chunk(number, " ".join(words))]
    found = similarity._search_buffers(WEIGHTS, buffers, {}, 0)
    expected = search(tmp_path, documents, set())
    assert [each.score for each in found] == pytest.approx(
        [each.score for each in expected], rel=1e-4
    )


def test_excluded_paths_are_never_found(tmp_path: Path, documents: list[list[str]]) -> None:
    best = {match.path for match in search(tmp_path, documents, set())}
    reader = Reader(tmp_path)
    assert not best & {match.path for match in reader.search(WEIGHTS, best)}


def test_terms_weigh_less_with_distance() -> None:
    weights = weighted_terms(cursor("alpha\n\nbeta\ngamma", "\ndelta\nbeta"))
    assert weights == {
        "gamma": 1.5,
        "beta": pytest.approx(0.75 + 0.75**2),
        "alpha": 0.75**2,
        "delta": 0.75,
    }


def test_only_twelve_lines_before_and_six_after_are_asked_for() -> None:
    lines = [chr(number) * 3 for number in range(ord("a"), ord("z"))]
    weights = weighted_terms(cursor("\n".join(lines), "\n" + "\n".join(lines[:10])))
    assert set(weights) == {*lines[-12:], *lines[:6]}


def test_the_most_telling_terms_are_asked_for_and_others_while_they_are_cheap() -> None:
    weights = {f"w{number}": 1.0 for number in range(similarity.TERMS + 10)} | {"near": 9.0}
    cheap = dict.fromkeys(weights, 10)
    assert similarity._most_telling(weights, cheap, 10**6) == weights
    dear = {term: 5000 + number for number, term in enumerate(weights)}
    kept = similarity._most_telling(weights, dear, 10**7)
    assert list(kept) == ["near", *list(weights)[: similarity.TERMS - 1]], "the rarest"


def test_terms_with_which_there_would_be_too_many_occurrences_are_left_out() -> None:
    frequencies = {"rare": 10, "frequent": similarity.OCCURRENCES - 5, "seldom": 100}
    weights = {"rare": 1.0, "frequent": 9.0, "seldom": 0.1}
    assert list(similarity._most_telling(weights, frequencies, 10**7)) == ["frequent"]
    weights["frequent"] = 0.5
    assert list(similarity._most_telling(weights, frequencies, 10**7)) == ["rare", "seldom"]


TEXT = "def load(path):\n    record = decode(path)\n    record.check()\n    store.insert(record)\n"


def files_of(files: dict[str, str]) -> Any:
    return lambda path: files[path].split("\n") if path in files else None


class TestSimilarity:
    def test_windows_come_from_the_index_and_never_from_the_open_file(self, tmp_path: Path) -> None:
        files = {"other.py": TEXT, "mine.py": TEXT}
        reader = indexed(tmp_path, files)
        found = Similarity(lambda: reader, files_of(files), unreachable)
        [window] = found.windows(cursor("    record.check()\n"))
        assert window.path == "other.py" and window.lines == tuple(TEXT.split("\n")[:4])

    def test_an_open_buffer_wins_over_the_disk(self, tmp_path: Path) -> None:
        files = {"other.py": TEXT}
        reader = indexed(tmp_path, files)
        found = Similarity(lambda: reader, files_of(files), unreachable)
        found.put("other.py", "python", TEXT.replace("store.insert", "shelf.append"))
        [window] = found.windows(cursor("    record.check()\n"))
        assert "    shelf.append(record)" in window.lines
        found.put("other.py", "python", "nothing = 0\n")
        assert found.windows(cursor("    record.check()\n")) == []
        found.remove("other.py")
        [window] = found.windows(cursor("    record.check()\n"))
        assert "    store.insert(record)" in window.lines

    def test_buffers_are_found_before_there_is_an_index(self) -> None:
        found = Similarity(lambda: None, files_of({}), unreachable)
        found.put("new.py", "python", TEXT)
        found.put("mine.py", "python", TEXT)
        assert [each.path for each in found.windows(cursor("record.check()"))] == ["new.py"]

    def test_a_file_that_is_gone_is_passed_over(self, tmp_path: Path) -> None:
        reader = indexed(tmp_path, {"other.py": TEXT})
        assert (
            Similarity(lambda: reader, files_of({}), unreachable).windows(
                cursor("record.check()\n")
            )
            == []
        )

    def test_an_empty_document_asks_for_nothing(self, tmp_path: Path) -> None:
        reader = indexed(tmp_path, {"other.py": TEXT})
        assert (
            Similarity(lambda: reader, files_of({}), unreachable).windows(cursor("\n \n", "\n"))
            == []
        )


def test_files_are_replaced_and_removed_with_the_commit(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.put("a.py", chunks("a.py", "alpha = 1", ""))
    writer.put("b.py", chunks("b.py", "beta = 1", ""))
    writer.commit()
    reader = Reader(tmp_path)
    writer.put("a.py", chunks("a.py", "gamma = 1", ""))
    writer.remove("b.py")
    reader.reload()
    assert [reader.frequency(term) for term in ("alpha", "beta", "gamma")] == [1, 1, 0]
    writer.commit()
    assert reader.frequency("alpha") == 1, "not before it reloads"
    reader.reload()
    assert reader.chunks == 1
    found = reader.search({"alpha": 1.0, "beta": 1.0, "gamma": 1.0}, set())
    assert [match.path for match in found] == ["a.py"]


def test_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(IndexDamagedError):
        Reader(tmp_path / "nowhere")
    indexed(tmp_path, {"a.py": TEXT})
    for file in tmp_path.glob("*.term"):
        file.write_bytes(b"damaged")
    with pytest.raises(IndexDamagedError):
        Reader(tmp_path).search({"record": 1.0}, set())
    (tmp_path / "meta.json").write_text("{", encoding="utf-8")
    for opened in (Reader, Writer):
        with pytest.raises(IndexDamagedError):
            opened(tmp_path)
