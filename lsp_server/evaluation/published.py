"""The published way to choose cross-file context: BM25 over chunks of ten lines, asked with the
last ten lines before the cursor. Shown is not the chunk that was found but the one after it.

arXiv 2310.11248 and its code, augment_with_cfc.py with `use_next_chunk_as_cfc`, of which the lists
rg1_bm25 of CrossCodeEval's rows come; arXiv 2401.14196 takes these. That code looks only into the
thousand chunks of the files that are nearest by their paths, here all of them are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rank_bm25 import BM25Okapi

from lsp_server.prompt.types import Snippet

CHUNK_LINES, QUERY_LINES, CHUNKS_SHOWN = 10, 10, 5


class PublishedContext:
    """The files of a repository, by their paths, in chunks."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.chunks = [chunk for path, text in files.items() for chunk in _chunks(path, text)]
        self._index = BM25Okapi([_terms(chunk.text) for chunk in self.chunks])

    def best(self, path: str, prefix: str) -> list[Snippet]:
        """At most five chunks of other files than the one at `path`, best first: those that follow
        what resembles the end of `prefix`, or that itself where nothing follows in its file."""
        lines = [line for line in prefix.split("\n") if line.strip()]
        scores = self._index.get_scores(_terms("\n".join(lines[-QUERY_LINES:])))
        order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
        others = (index for index in order if self.chunks[index].path != path)
        shown: dict[str, Snippet] = {}
        for chunk in map(self._following, others):
            shown.setdefault(chunk.text, chunk)
            if len(shown) == CHUNKS_SHOWN:
                break
        return list(shown.values())

    def _following(self, index: int) -> Snippet:
        here, after = self.chunks[index], self.chunks[index + 1 : index + 2]
        return after[0] if after and after[0].path == here.path else here


def _chunks(path: str, text: str) -> Iterable[Snippet]:
    """A file in chunks of ten lines that are not blank."""
    lines = [line + "\n" for line in text.split("\n") if line.strip()]
    for start in range(0, len(lines), CHUNK_LINES):
        yield Snippet(path, "".join(lines[start : start + CHUNK_LINES]))


def _terms(text: str) -> list[str]:
    return re.findall(r"\w+", text)
