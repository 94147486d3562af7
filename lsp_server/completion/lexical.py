"""Brackets, strings and comments of a text in any language, told without a parser.

Broken code is the normal case at a cursor: nothing here fails, a string that misses its end on a
line is no string, and a closing bracket that closes nothing is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from lsp_server.context.languages.table import language_of

CLOSER = {"(": ")", "[": "]", "{": "}"}

_TRIPLE = ("python", "java", "kotlin", "scala", "swift", "c-sharp", "julia", "groovy", "dart")
_BACKTICKS = ("javascript", "typescript", "go")
_ONLY_CHARACTERS = (
    *("c", "cpp", "cuda", "c-sharp", "java", "kotlin", "scala", "go", "rust", "swift", "solidity"),
    *("haskell", "ocaml", "standard-ml", "f-sharp", "elm", "idris", "agda", "zig", "verilog"),
    *("systemverilog", "vhdl", "ada", "common-lisp", "emacs-lisp", "scheme", "racket", "clojure"),
    *("markdown", "html", "tex", "restructuredtext", "rmarkdown", "plain-text", "literate-haskell"),
)
"""Where an apostrophe stands around a character, in a word, or before a name, not around text."""


class Token(NamedTuple):
    """A bracket, or what brackets do not count in: `kind` is the bracket, `string`, `comment`, or
    `open` for a string or comment that misses its end, with `quote` what would end it."""

    kind: str
    start: int
    end: int
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """What is open at the end of a text: the closing brackets wanted and where their openers stand,
    innermost last, and what ends the string or comment that the text ends in (`\\n` for a comment
    line)."""

    closers: tuple[str, ...] = ()
    openers: tuple[int, ...] = ()
    quote: str = ""


def tokens(text: str, language: str) -> Iterator[Token]:
    """The brackets, strings and comments of a text that starts outside of any."""
    for match in _lexer(language).finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind == "bracket":
            yield Token(match[0], start, end)
        elif kind == "line":
            yield Token("open" if end == len(text) else "comment", start, end, "\n")
        elif kind == "started":
            quote = next(mark for mark in _MARKS if match[0].startswith(mark))
            yield Token("open", start, end, "*/" if quote == "/*" else quote)
        else:
            yield Token(kind, start, end)


def open_at_end(text: str, language: str) -> Open:
    """What is open at the end of a text."""
    stack: list[Token] = []
    quote = ""
    for token in tokens(text, language):
        if token.kind in CLOSER:
            stack.append(token)
        elif token.kind == "open":
            quote = token.quote
        elif any(CLOSER[each.kind] == token.kind for each in stack):
            while CLOSER[stack.pop().kind] != token.kind:
                pass
    closers = tuple(CLOSER[each.kind] for each in stack)
    return Open(closers, tuple(each.start for each in stack), quote)


def unopened(text: str, language: str) -> Iterator[Token]:
    """The closing brackets of a text that close nothing opened in it, in order."""
    depth: list[str] = []
    for token in tokens(text, language):
        if token.kind in CLOSER:
            depth.append(CLOSER[token.kind])
        elif token.kind in ")]}" and depth and depth[-1] == token.kind:
            depth.pop()
        elif token.kind in (")", "]", "}"):
            depth.clear()
            yield token


def end_of_string(text: str, quote: str) -> int | None:
    """Where in `text`, the start of which is in a string or comment that `quote` ends, that stands;
    None when it does not."""
    if len(quote) == 1:
        pattern = rf"(?:\\.|[^\\{re.escape(quote)}])*?{re.escape(quote)}"
        match = re.match(pattern, text, re.DOTALL)
        return match.end() - 1 if match else None
    end = text.find(quote)
    return end if end >= 0 else None


def opens_block(line: str, language: str) -> bool:
    """Whether a line, or its start, ends in what opens a block or brackets."""
    line = line.rstrip()
    if line.endswith(("{", "(", "[")):
        return True
    if language == "python":
        return _PYTHON_HEADER.match(line) is not None
    if language in _WITH_END:
        return _OPENING_WORDS.search(line) is not None
    if line.endswith(("=>", "->")):
        return True
    return line.endswith(":") and (language == "yaml" or _LABEL.match(line) is not None)


_PYTHON_HEADER = re.compile(
    r"\s*(?:(?:async\s+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b"
    r"|[)\]]).*:$"
)
_LABEL = re.compile(r"\s*(?:case\b.*|default|public|private|protected|signals|public slots)\s*:$")
_OPENING_WORDS = re.compile(
    r"(?:^|\s)(?:do|then|else|begin|ensure|in|repeat)(?:\s*\|[^|]*\|)?$"
    r"|^\s*(?:local\s+)?(?:def|function|class|module|sub|while|for|if|unless|case)\b[^=]*$"
)
_WITH_END = ("ruby", "lua", "shell", "elixir", "julia", "matlab", "tcsh")

_MARKS = ('"""', "'''", "/*", "<!--", '"', "'", "`")


@cache
def _lexer(language: str) -> re.Pattern[str]:
    known = language_of("", language)
    comment = known.line_comment
    strings, started = [], []
    if language in _TRIPLE:
        strings += [r'"""(?:\\.|[^\\])*?"""', r"'''(?:\\.|[^\\])*?'''"]
        started += [r'"""(?:\\.|[^\\])*\Z', r"'''(?:\\.|[^\\])*\Z"]
    if language in _BACKTICKS:
        strings.append(r"`(?:\\.|[^`\\])*`")
        started.append(r"`(?:\\.|[^`\\])*\Z")
    strings.append(r'"(?!"")(?:\\.|[^"\\\n])*"')
    started.append(r'"(?:\\.|[^"\\\n])*\Z')
    if language in _ONLY_CHARACTERS:
        strings.append(r"'(?:\\[^'\n]+|[^'\\\n])'")
    else:
        strings.append(r"'(?!'')(?:\\.|[^'\\\n])*'")
        started.append(r"'(?:\\.|[^'\\\n])*\Z")
    if language == "shell":  # a pattern of a `case`
        strings.append(r"(?<=\n)[ \t]*[^\s()#'\"`$]+\)")
    comments = []
    if comment == "//" or known.block_comment == ("/*", "*/"):
        comments.append(r"/\*.*?\*/")
        started.append(r"/\*.*\Z")
    if known.block_comment and known.block_comment[0] == "<!--":
        comments.append("<!--.*?-->")
        started.append(r"<!--.*\Z")
    line = rf"(?<![\w$\\]){re.escape(comment)}[^\n]*" if comment else r"(?!)"
    if language == "php":
        line = rf"(?:{line}|#[^\n]*)"
    if language in ("shell", "makefile", "dockerfile", "yaml"):
        line = r"(?:(?<=\s)|^)#[^\n]*"
    return re.compile(
        f"(?P<comment>{'|'.join(comments) or '(?!)'})|(?P<line>{line})"
        f"|(?P<string>{'|'.join(strings)})|(?P<started>{'|'.join(started)})"
        r"|(?P<bracket>[()\[\]{}])",
        re.DOTALL | re.MULTILINE,
    )
