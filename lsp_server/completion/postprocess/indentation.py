"""White space at the start of lines, as the file has it. Nothing else is ever changed."""

from __future__ import annotations

from lsp_server.completion.lexical import opens_block, unopened
from lsp_server.completion.lines import indent_of, last_line, width
from lsp_server.completion.place import Place

_DEFAULT_UNIT = 4


def after_withheld(text: str, prefix: str, withheld: str) -> str:
    """What follows the cursor in `text`, which follows `prefix` without its end `withheld`; nothing
    while `text` has not come so far.

    Where a model indents a new line in another way than what was typed (spaces, say, after a tab),
    its lines are moved to the typed indentation.
    """
    if text.startswith(withheld) or withheld.startswith(text):
        return text[len(withheld) :]
    typed = prefix[prefix.rfind("\n") + 1 :]
    first, *further = text.split("\n")
    if typed.strip() or not first.strip():
        return text
    own = typed[: len(typed) - len(withheld)] + _blank(first)
    moved = [typed + line[len(own) :] if line.startswith(own) else line for line in further]
    return "\n".join([first.lstrip(), *moved])


def indented_as_the_file(text: str, place: Place) -> str:
    """Tabs or spaces, as the file has them; no deeper than the cursor where nothing above it opens
    a block; and deeper than the cursor's line where that opens one."""
    return _with_tabs_or_spaces(_inside_the_body(_from_the_cursor(text, place), place), place)


def with_a_line_for_the_closer(text: str, written: str, place: Place) -> str:
    """With the line end that was `written` behind a body, where the bracket that closes it follows
    the cursor: it comes to stand below, like the line that opens the body."""
    lines, own = text.split("\n"), written.split("\n")
    last = len(lines) - 1
    is_body = last > 0 and not lines[0].strip() and not place.at_line_start
    if not is_body or not place.after.lstrip().startswith((")", "]", "}")):
        return text
    goes_on = len(own) > len(lines) and own[last].strip() == lines[last].strip()
    return f"{text}\n{_blank(place.before)}" if goes_on else text


def _from_the_cursor(text: str, place: Place) -> str:
    """Without indentation that comes on top of the cursor's, from all lines that have it."""
    first, *further = text.split("\n")
    surplus = _blank(first)
    if not surplus or not place.before or not place.at_line_start or not first.strip():
        return text
    above = last_line(place.near_before)
    opened = opens_block(above, place.language)
    if width(place.before) < indent_of(above) + opened:
        return text
    own = place.before + surplus
    moved = [place.before + line[len(own) :] if line.startswith(own) else line for line in further]
    return "\n".join([first.lstrip(), *moved])


def _inside_the_body(text: str, place: Place) -> str:
    """One level deeper, where lines in brackets are indented like the line that opens them."""
    first, *further = text.split("\n")
    written = [line for line in further if line.strip()]
    if first.strip() or not written or not place.before.rstrip().endswith(("{", "(", "[")):
        return text
    if indent_of(written[0]) != indent_of(place.before) or written[0].lstrip()[0] in ")]}":
        return text
    surplus = next(unopened(text, place.language), None)
    inside = len(further) if surplus is None else text.count("\n", 0, surplus.start) - 1
    unit = _unit(place) or " " * _DEFAULT_UNIT
    moved = [unit + line if line.strip() else line for line in further[:inside]]
    return "\n".join([first, *moved, *further[inside:]])


def _with_tabs_or_spaces(text: str, place: Place) -> str:
    first, *further = text.split("\n")
    unit = _unit(place)
    if not (further and unit) or place.language == "makefile":  # where a tab means something
        return text
    return "\n".join([first, *(_reindented(line, unit) for line in further)])


def _reindented(line: str, unit: str) -> str:
    blank = _blank(line)
    if unit == "\t":
        spaces = len(blank) - len(blank.lstrip(" "))
        return "\t" * (spaces // _DEFAULT_UNIT) + line[spaces // _DEFAULT_UNIT * _DEFAULT_UNIT :]
    return blank.replace("\t", unit) + line[len(blank) :]


def _unit(place: Place) -> str:
    """What one level of indentation is in the lines around the cursor; empty when none has any."""
    blanks = [_blank(line) for line in (place.near_before + place.near_after).split("\n")]
    used = [blank for blank in blanks if blank]
    if not used:
        return ""
    if sum(blank[0] == "\t" for blank in used) * 2 > len(used):
        return "\t"
    return " " * min((len(blank) for blank in used if len(blank) > 1), default=_DEFAULT_UNIT)


def _blank(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
