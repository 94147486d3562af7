"""Lists of patterns in .gitignore's syntax.

Matched as git's `dir.c` and `wildmatch.c` do: on bytes, and each entry of a folder by itself.
(Libraries that match whole paths cannot tell `folder/**` from `folder/`.)
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_LINE = 4096  # as a path; compiling a hostile one takes long
_SPECIAL = re.compile(rb"[*?\[\\]")
_TOKEN = re.compile(rb"\*+|\\.|.", re.DOTALL)
_NAMED_CLASS = re.compile(rb"\[:([^\]]*):\]")
_VISIBLE = string.ascii_letters + string.digits + string.punctuation
_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, [*range(32), 127])),
    b"digit": string.digits,
    b"graph": _VISIBLE,
    b"lower": string.ascii_lowercase,
    b"print": _VISIBLE + " ",
    b"punct": string.punctuation,
    b"space": " \t\n\r",
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: bytes
    order: int
    ignores: bool
    only_folders: bool
    by_name: bool
    exact: bytes
    ending: bytes


class Patterns:
    """One list, such as a .gitignore file's. A line that git takes for nothing is nothing here."""

    def __init__(self, text: bytes, ignore_case: bool = False) -> None:
        lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        patterns = [each for order, line in enumerate(lines) if (each := _parse(order, line))]
        for_files = [each for each in patterns if not each.only_folders]
        self._of_folders = _Last(patterns, ignore_case)
        same = len(for_files) == len(patterns)
        self._of_files = self._of_folders if same else _Last(for_files, ignore_case)

    def verdict(self, path: bytes, is_folder: bool) -> bool | None:
        """Whether the entry at this path from the list's folder is ignored; None when no pattern
        matches it. The folders above it are not looked at."""
        return (self._of_folders if is_folder else self._of_files).verdict(path)

    def covers(self, path: bytes) -> bool:
        """Whether a file or a folder above it is ignored."""
        above = (path[: slash.start()] for slash in re.finditer(rb"(?!^)/", path))
        return any(self.verdict(each, True) for each in above) or self.verdict(path, False) is True


class _Last:
    """The last of many patterns that matches. As in git, names and endings are looked up; for the
    others there is one expression for names and one for paths, whose alternatives stand in reverse,
    so that the first that matches is the last that was written."""

    def __init__(self, patterns: Sequence[_Pattern], ignore_case: bool) -> None:
        self._fold = bytes.lower if ignore_case else bytes
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        self._exact = {self._fold(each.exact): each for each in patterns if each.exact}
        self._endings = {self._fold(each.ending): each for each in patterns if each.ending}
        self._lengths = sorted({len(ending) for ending in self._endings})
        others = [each for each in reversed(patterns) if not (each.exact or each.ending)]
        self._names = [each for each in others if each.by_name]
        self._paths = [each for each in others if not each.by_name]
        self._name = re.compile(_alternatives(self._names), flags)
        self._path = re.compile(_alternatives(self._paths), flags)

    def verdict(self, path: bytes) -> bool | None:
        path = self._fold(path)
        name = path[path.rfind(b"/") + 1 :]
        endings = [name[-length:] for length in self._lengths]
        hits = [self._endings[ending] for ending in endings if ending in self._endings]
        if name in self._exact:
            hits.append(self._exact[name])
        if self._names and (match := self._name.fullmatch(name)) and match.lastindex:
            hits.append(self._names[match.lastindex - 1])
        if self._paths and (match := self._path.fullmatch(path)) and match.lastindex:
            hits.append(self._paths[match.lastindex - 1])
        return max(hits, key=lambda hit: hit.order).ignores if hits else None


def _alternatives(patterns: Sequence[_Pattern]) -> bytes:
    return b"|".join(b"(%s)" % each.regex for each in patterns)


def _parse(order: int, line: bytes) -> _Pattern | None:
    """One line; None for blank ones, comments, and patterns that can match nothing."""
    if line.startswith(b"#") or len(line) > _LONGEST_LINE:
        return None
    glob = _trimmed(line.removesuffix(b"\r"))
    ignores = not glob.startswith(b"!")
    glob = glob.removeprefix(b"!")
    only_folders = glob.endswith(b"/")
    glob = glob[:-1] if only_folders else glob
    by_name = b"/" not in glob
    glob = glob.removeprefix(b"/")
    try:
        regex = _translate(glob, by_name)
    except ValueError:
        return None
    exact = glob if by_name and not _SPECIAL.search(glob) else b""
    ending = glob[1:] if by_name and glob[:1] == b"*" and not _SPECIAL.search(glob, 1) else b""
    return _Pattern(regex, order, ignores, only_folders, by_name, exact, ending) if glob else None


def _trimmed(line: bytes) -> bytes:
    """Without spaces at its end, but with one that a backslash stands before."""
    bare = line.rstrip(b" ")
    backslashes = len(bare) - len(bare.rstrip(b"\\"))
    return bare + b" " if backslashes % 2 and len(bare) < len(line) else bare


def _translate(glob: bytes, by_name: bool) -> bytes:
    """A glob as a regular expression. Raises ValueError for one that can match nothing."""
    out: list[bytes] = []
    star: int | None = None  # where in `out` this segment's last star is
    at = 0
    while token := _TOKEN.match(glob, at):
        text, at = token[0], token.end()
        folders = None if by_name else _any_folders(glob, token)
        if folders:
            out.append(folders)
            at += glob[at : at + 1] == b"/"
        elif text.startswith(b"*"):
            if star is not None:
                # up to where the piece first occurs: no later place can match where this one does
                # not, and trying them all takes long for a hostile `*a*a*a*a*b`
                piece = b"".join(out[star + 1 :])
                out[star:] = [b"(?:(?!%s)[^/])*%s" % (piece, piece)]
            star = len(out)
            out.append(b"[^/]*")
        elif text == b"?":
            out.append(b"[^/]")
        elif text == b"[":
            members, at = _bracket(glob, at)
            out.append(members)
        elif text == b"\\":
            raise ValueError("nothing after a backslash")
        else:
            star = None if text == b"/" else star
            out.append(re.escape(text[-1:]))
    return b"".join(out)


def _any_folders(glob: bytes, token: re.Match[bytes]) -> bytes | None:
    """What `**` stands for where it is a segment of its own; None where it, or less, is not."""
    first_special = _SPECIAL.search(glob)
    # git matches what stands before the first wildcard apart, so there a segment begins for it
    begins = (first_special and token.start() == first_special.start()) or glob[
        : token.start()
    ].endswith(b"/")
    if not (begins and token[0].startswith(b"**")):
        return None
    rest = glob[token.end() :]
    return b"(?:.*/)?" if rest.startswith(b"/") else None if rest else b".*"


def _bracket(glob: bytes, at: int) -> tuple[bytes, int]:
    """The set whose members begin at `at`, and where what follows it begins."""
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    members: set[int] = set()
    low: int | None = None  # what a range can begin with
    first = at
    while at == first or glob[at : at + 1] != b"]":
        named = _NAMED_CLASS.match(glob, at)
        if named:
            if named[1] not in _CLASSES:
                raise ValueError("no such class")
            members.update(_CLASSES[named[1]].encode())
            low, at = None, named.end()
        elif low is not None and glob[at : at + 1] == b"-" and glob[at + 1 : at + 2] not in b"]":
            high, at = _member(glob, at + 1)
            members.update(range(low, high + 1))
            low = None
        else:
            low, at = _member(glob, at)
            members.add(low)
    wanted = members ^ set(range(256)) if negated else members
    escaped = b"".join(b"\\x%02x" % each for each in sorted(wanted - {ord("/")}))
    return (b"[%s]" % escaped if escaped else b"(?!)"), at + 1


def _member(glob: bytes, at: int) -> tuple[int, int]:
    at += glob[at : at + 1] == b"\\"
    if at >= len(glob):
        raise ValueError("a set without end")
    return glob[at], at + 1
