"""What a file says of its variables' types, found line by line so that broken code does no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple


class Declaration(NamedTuple):
    """Where (an offset in the text), and either a type's text or the text of an expression."""

    position: int
    is_type: bool
    text: str


Declarations = Mapping[str, tuple[Declaration, ...]]


@lru_cache(maxsize=32)
def declarations(text: str, language: str) -> Declarations:
    """Declared names, a `self.` in front kept, to their declarations in the order of the text."""
    found: dict[str, set[Declaration]] = {}
    for name, declaration in _all(text, language):
        found.setdefault(name, set()).add(declaration)
    return {name: tuple(sorted(declarations)) for name, declarations in found.items()}


def _all(text: str, language: str) -> Iterator[tuple[str, Declaration]]:
    for pattern in _PATTERNS.get(language, ()):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            if type_ := groups.get("type"):
                yield groups["name"], Declaration(match.start("name"), True, type_.strip())
            if value := groups.get("value"):
                yield groups["name"], Declaration(match.start("name"), False, value.strip())


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.M) for pattern in patterns)


# Type arguments may be anything but what ends a declaration; a type starts with a capital letter in
# the languages where that is the custom, which keeps most expressions out.
_CAPITAL_TYPE = r"\b(?P<type>[A-Z][\w.]*(?:<[^;(){}=\n]{0,200}>)?)"
_TYPE_FIRST = _CAPITAL_TYPE + r"(?:\[\]|\?|\.\.\.)*\s+(?P<name>\w+)\s*(?=[=;,):{]|in\b)"
_INFERRED = r"\b(?:const|let|var|val)\s+(?P<name>\w+)\s*=\s*(?P<value>[^\n;]+)"
_LOOP = r"\b(?:const|let|var)\s+(?P<name>\w+)\s+(?:in|of|:)\s+(?P<value>[^\n)]+)"
_FIELD = r"\bthis\.(?P<name>\w+)\s*=\s*(?P<value>[^\n;=]+)"

_BRACES = _compiled(_TYPE_FIRST, _INFERRED, _LOOP, _FIELD)
_JAVASCRIPT = _compiled(_INFERRED, _LOOP, _FIELD)
_TYPESCRIPT = (
    *_JAVASCRIPT,
    *_compiled(r"\b(?P<name>\w+)[?!]?\s*:\s*(?P<type>[A-Z][\w.<>\[\]| ]*)"),
)
_C = _compiled(
    r"\b(?P<type>(?:struct\s+|const\s+)*[A-Za-z_][\w:]*(?:<[^;(){}=\n]{0,200}>)?)"
    r"(?:\s*[*&]+\s*|\s+)(?:const\s+)?(?P<name>\w+)\s*(?=[=;,)\[{:])",
    r"\bauto\s*[*&]*\s*(?P<name>\w+)\s*[=:]\s*(?P<value>[^\n;)]+)",
)

# Type arguments in three levels of brackets.
_BRACKETED = r"\[[^\[\]\n]*\]"
for _ in range(2):
    _BRACKETED = rf"\[(?:[^\[\]\n]|{_BRACKETED})*\]"

_PATTERNS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    # found several times as fast without a word's boundary in front, where no name can stand
    "python": _compiled(
        r"^[ \t]*(?P<name>(?:self\.)?\w+)[ \t]*(?::[ \t]*(?P<type>[^=\n]+?))?[ \t]*=(?!=)[ \t]*"
        r"(?P<value>[^\n]+)",
        r"(?:^[ \t]*|[(,]\s*\*{0,2})(?P<name>self\.\w+|\w+)[ \t]*:[ \t]*"
        rf"(?P<type>[A-Za-z_\"'](?:[\w. |\"']|{_BRACKETED})*)",
        r"with\s+(?P<value>[^\n:]+?)\s+as\s+(?P<name>(?:self\.)?\w+)",
        r"for\s+(?:\w+\s*,\s*)?(?P<name>\w+)\s+in\s+(?P<value>[^\n:]+)",
        r"except\s+\(?(?P<type>[\w., ]+?)\)?\s+as\s+(?P<name>\w+)",
        r"\(\s*(?P<name>\w+)\s*:=\s*(?P<value>[^\n:]+)",
        r"isinstance\(\s*(?P<name>(?:self\.)?\w+)\s*,\s*(?P<type>[\w.]+)\s*\)",
    ),
    "java": _BRACES,
    "c-sharp": _BRACES,
    "kotlin": _TYPESCRIPT,
    "javascript": _JAVASCRIPT,
    "typescript": _TYPESCRIPT,
    "go": _compiled(
        r"\b(?P<name>\w+)(?:\s*,\s*\w+)*\s*:=\s*(?!range\b)(?P<value>[^\n;{]+)",
        r"\b(?P<name>\w+)\s*:=\s*range\s+(?P<value>[^\n{]+)",
        r"(?:\bvar\s+|[(,]\s*|^\s+)(?P<name>\w+)\s+(?P<type>(?:\*|\[\]|\.\.\.)*(?:\w+\.)?[A-Za-z]\w*)"
        r"\s*(?=[,)=\n`])",
    ),
    "rust": _compiled(
        r"\blet\s+(?:mut\s+)?(?P<name>\w+)\s*(?::\s*(?P<type>[^=;\n]+?)\s*)?=\s*(?P<value>[^\n;]+)",
        r"[(,|]\s*(?:mut\s+)?(?P<name>\w+)\s*:\s*(?P<type>[^,)=;\n]+)",
        r"\bfor\s+(?P<name>\w+)\s+in\s+(?P<value>[^\n{]+)",
        r"\b(?:Some|Ok)\((?:mut\s+)?(?P<name>\w+)\)\s*=\s*(?P<value>[^\n{;]+)",
    ),
    "c": _C,
    "cpp": _C,
}
