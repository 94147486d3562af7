"""Trims what a model wrote to what fits the file. Pure: text in, text out; newlines are `\\n`."""

from __future__ import annotations

import re

from lsp_server.completion.scope import Scope

_CONTROL = re.compile(
    r"<[|｜][A-Za-z_▁]+[|｜]>|<(?:fim_(?:prefix|middle|suffix|pad)|file_sep|repo_name|endoftext)>"
)
_FOLLOWING_LINE = re.compile(r"\n([^\S\n]*\S[^\n]*)")
_CLOSERS = ")]}>\"'`,;:"


def fit(text: str, suffix: str, scope: Scope, max_lines: int) -> str:
    """The part of `text` worth inserting before `suffix`; empty when nothing is."""
    text = before_control_text(text)
    text = within_scope(text, scope, max_lines)
    text = without_following_lines(text, suffix)
    text = without_rest_of_line(text, suffix)
    return without_trailing_space(text)


def after_withheld(text: str, prefix: str, withheld: str) -> str:
    """What follows the cursor in `text`, which follows `prefix` without its end `withheld`.

    Where a model indents a new line in another way than what was typed (spaces, say, after a tab),
    its lines are moved to the typed indentation.
    """
    if text.startswith(withheld):
        return text[len(withheld) :]
    typed = prefix[prefix.rfind("\n") + 1 :]
    first, *further = text.split("\n")
    if typed.strip() or not first.strip():
        return text
    own = typed[: len(typed) - len(withheld)] + first[: _indent(first)]
    moved = [typed + line[len(own) :] if line.startswith(own) else line for line in further]
    return "\n".join([first.lstrip(), *moved])


def before_control_text(text: str) -> str:
    """Cut at the first thing that looks like a control token."""
    found = _CONTROL.search(text)
    return text[: found.start()] if found else text


def complete_lines(text: str, scope: Scope, max_lines: int) -> int | None:
    """Where the suggestion ends in `text`, or None when more text could still belong to it.

    The end of a single line is its newline; a block ends before a blank line, before a line
    indented less than the block, and after `max_lines`. One newline right at the start does not
    count: a block may open on the next line.
    """
    if not scope.multiline:
        end = text.find("\n")
        return end if end >= 0 else None
    lines = text.split("\n")
    first = next((index for index, line in enumerate(lines[:2]) if line.strip()), None)
    if first is None:
        return None if len(lines) <= 2 else 0
    least = _block_indent(lines, first, scope)
    position = sum(len(line) + 1 for line in lines[: first + 1])
    for index in range(first + 1, len(lines)):
        line = lines[index]
        is_last = index == len(lines) - 1
        if index - first >= max_lines:
            return position - 1
        if not line.strip():
            if not is_last:
                return position - 1
        elif _indent(line) < least and not _closes_block(line, least, scope):
            return position - 1
        position += len(line) + 1
    return None


def within_scope(text: str, scope: Scope, max_lines: int) -> str:
    """Cut where `complete_lines` says the suggestion ends."""
    end = complete_lines(text, scope, max_lines)
    return text if end is None else text[:end]


def without_following_lines(text: str, suffix: str) -> str:
    """Cut before a line that the file already has right after the cursor's line."""
    following = _FOLLOWING_LINE.search(suffix)
    if following is None:
        return text
    lines = text.split("\n")
    for index in range(1, len(lines)):
        if lines[index].rstrip() == following[1].rstrip():
            return "\n".join(lines[:index])
    return text


def without_rest_of_line(text: str, suffix: str) -> str:
    """Drop the end of the last line where it repeats what stands after the cursor on its line."""
    rest = suffix.split("\n", 1)[0].strip()
    if not rest:
        return text
    body = text.rstrip()
    for length in range(min(len(rest), len(body)), 0, -1):
        if body.endswith(rest[:length]) and (
            length == len(rest) or set(rest[:length]) <= set(_CLOSERS)
        ):
            return body[: len(body) - length]
    return text


def without_trailing_space(text: str) -> str:
    """No blank space or lines at the end; nothing at all when there is nothing else."""
    return text.rstrip()


def _block_indent(lines: list[str], first: int, scope: Scope) -> int:
    """Least indentation of the block's further lines: that of its first whole line."""
    if first == 0:
        return scope.indent + (_indent(lines[0]) if scope.at_line_start else 0)
    return max(scope.indent, _indent(lines[first]))


def _closes_block(line: str, least: int, scope: Scope) -> bool:
    """A closing bracket of the line that opened the block."""
    return line.lstrip()[0] in ")]}" and _indent(line) >= min(least, scope.indent)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
