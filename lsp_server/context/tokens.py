"""Text as the terms that similarity counts: identifiers, and the words that they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

CHUNK_LINES = 10

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST_IDENTIFIER = 80
"""What is longer is data: a hash, a key, a line without spaces."""

_C = """auto break case char const continue default do double else enum extern float for goto if
inline int long register return short signed sizeof static struct switch typedef union unsigned
void volatile while"""
_JAVASCRIPT = """async await break case catch class const continue debugger default delete do else
export extends false finally for from function get if import in instanceof let new null of return
set static super switch this throw true try typeof undefined var void while with yield"""
_TYPESCRIPT = f"""{_JAVASCRIPT} abstract any as boolean constructor declare enum implements
interface is keyof module namespace never number object package private protected public readonly
string symbol type unknown"""
_KEYWORDS = {
    name: frozenset(words.split())
    for name, words in {
        "python": """False None True and as assert async await break class continue def del elif
            else except finally for from global if import in is lambda nonlocal not or pass raise
            return try while with yield self cls""",
        "java": """abstract assert boolean break byte case catch char class const continue default
            do double else enum extends final finally float for goto if implements import
            instanceof int interface long native new package private protected public return short
            static strictfp super switch synchronized this throw throws transient try void volatile
            while true false null var record""",
        "c-sharp": """abstract as async await base bool break byte case catch char checked class
            const continue decimal default delegate do double else enum event explicit extern false
            finally fixed float for foreach get goto if implicit in int interface internal is lock
            long namespace new null object operator out override params private protected public
            readonly ref return sbyte sealed set short sizeof stackalloc static string struct
            switch this throw true try typeof uint ulong unchecked unsafe ushort using value var
            virtual void volatile while record""",
        "javascript": _JAVASCRIPT,
        "typescript": _TYPESCRIPT,
        "c": _C,
        "cpp": f"""{_C} bool catch class constexpr const_cast delete dynamic_cast explicit export
            false final friend mutable namespace new noexcept nullptr operator override private
            protected public static_cast template this throw true try typename using virtual""",
        "go": """break case chan const continue default defer else fallthrough false for func go
            goto if import interface map nil package range return select struct switch true type
            var""",
        "rust": """as async await break const continue crate dyn else enum extern false fn for if
            impl in let loop match mod move mut pub ref return self Self static struct super trait
            true type unsafe use where while""",
    }.items()
}


class Chunk(NamedTuple):
    """Ten lines that are not blank: the number of the first, from 0, and their terms, spaces
    between them."""

    first_line: int
    terms: str


def terms(text: str, language: str) -> list[str]:
    """Identifiers but for the language's keywords, each followed by its words in lower case:
    `HttpRequest` gives `HttpRequest`, `http`, `request`."""
    keywords = _KEYWORDS.get(language, frozenset())
    return [
        term
        for identifier in _IDENTIFIER.findall(text)
        if identifier not in keywords and len(identifier) <= _LONGEST_IDENTIFIER
        for term in (identifier, *words(identifier))
    ]


def keywords(language: str) -> frozenset[str]:
    """The language's reserved words; none for a language whose words are not known."""
    return _KEYWORDS.get(language, frozenset())


@lru_cache(50_000)
def words(identifier: str) -> tuple[str, ...]:
    """The parts of two letters or more of a camelCase or snake_case name, in lower case; of a name
    with one part, that in lower case when it differs."""
    parts = [part.lower() for part in _WORD.findall(identifier)]
    if len(parts) > 1:
        return tuple(part for part in parts if len(part) > 1)
    lower = identifier.lower()
    return (lower,) if lower != identifier else ()


def chunks(path: str, text: str, language: str) -> Iterator[Chunk]:
    """A file's chunks, one after the other; the terms of its path are in each."""
    of_path = terms(path.replace("/", " ").replace(".", " "), language)
    filled = [(number, line) for number, line in enumerate(text.split("\n")) if line.strip()]
    for start in range(0, len(filled), CHUNK_LINES):
        lines = filled[start : start + CHUNK_LINES]
        found = terms("\n".join(line for _, line in lines), language)
        if found:
            yield Chunk(lines[0][0], " ".join(found + of_path))
