"""What became of suggestions, inferred from the changes of documents alone, so in any editor."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from lsp_server.completion.edits import Edit, edit_between, same_ahead
from lsp_server.completion.rejections import Rejection, Rejections
from lsp_server.completion.statistics import CHECKS, Fate, Statistics

SEEN_SECONDS = 0.75
"""What was typed over earlier than this was not read, so it was not rejected."""
LOOKED_AT_SECONDS = 2.0
"""What stood so long, and then the cursor went elsewhere, was escaped from."""
SEVERAL_KEYS = 4
"""More than editors merge into one change while somebody types: so much was accepted."""
UNDO_SECONDS = 30.0
"""An accepted text that is removed within this time was undone."""
KEPT_SHARE = 0.5
"""A text is still there when so much of it is, in words and signs."""
NEAR = 40
"""Characters before and after its place in which a text is looked for too."""
MOST_TAKEN = 50
"""Accepted texts followed in one document."""
MOST_ENDED = 50
"""Suggestions that the item's command may name after their end."""
FURTHEST_BACK = 1000
"""Characters that may be deleted before a suggestion while it is still the same."""

_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">", '"': '"', "'": "'", "`": "`"}
_ADDED = " \t\n" + "".join(_CLOSING.values())
_CLOSED = re.compile(r"(?:\n[ \t]*)?[)\]}>\"'`]+")
_BLANKS = re.compile(r"\n?[ \t]+")
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")


@dataclass(slots=True, eq=False)
class _Shown:
    """A suggestion in front of the user: `text`, of which the document has `typed` characters from
    `start`, and after them `closed` more: brackets that the editor closed, or its indentation."""

    document: str
    language: str
    ids: set[str]
    start: int
    text: str
    tokens_per_character: float
    at: float
    typed: int = 0
    closed: int = 0
    accepted: int = 0
    """Characters that were accepted, not typed."""
    fate: Fate | None = None
    counted: tuple[int, int] = (0, 0)
    """Characters and tokens that statistics know of as accepted."""
    rejection: Rejection | None = None

    @property
    def cursor(self) -> int:
        return self.start + self.typed

    @property
    def end(self) -> int:
        return self.cursor + self.closed

    @property
    def offered(self) -> str:
        return self.text[self.typed :]


@dataclass(frozen=True, slots=True)
class _Offer:
    """What was offered, in which text, and where: before `cursor` and after `end`."""

    text: str
    cursor: int
    end: int
    offered: str


@dataclass(slots=True, eq=False)
class _Taken:
    """An accepted text, where it is now, and while it may be undone, how it was offered."""

    shown: _Shown
    text: str
    start: int
    end: int
    at: float
    offer: _Offer | None
    checks: deque[tuple[float, str]] = field(default_factory=lambda: deque(CHECKS))


@dataclass(slots=True, eq=False)
class _Document:
    """An open document's text, and what is shown or was accepted in it."""

    text: str
    shown: _Shown | None = None
    doubted: tuple[_Shown, _Offer, float] | None = None
    """A suggestion that one key disagreed with, and when: a slip when the next change takes that
    key back."""
    announced: tuple[_Shown, _Offer] | None = None
    """A suggestion whose command came before the change that inserts it."""
    taken: list[_Taken] = field(default_factory=list)


class Feedback:
    """Follows the suggestions of one editor. All calls belong to one thread, and texts have
    newlines as `\\n`. What is rejected goes to `rejections`, what is counted to `statistics`."""

    def __init__(
        self,
        statistics: Statistics,
        rejections: Rejections,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statistics = statistics
        self._rejections = rejections
        self._clock = clock
        self._documents: dict[str, _Document] = {}
        self._ended: deque[_Shown] = deque(maxlen=MOST_ENDED)

    def shown(
        self,
        document: str,
        prefix: str,
        suffix: str,
        text: str,
        id: str,
        tokens: int,
        language: str = "",
    ) -> None:
        """`text`, of so many tokens, was sent to be shown between `prefix` and `suffix`; the item's
        command will name `id`.

        What goes on with the suggestion that is shown is no other one. What comes too late for the
        text as it is now is not shown by any editor, and not counted.
        """
        state = self._documents.get(document)
        if state is None:
            state = self._documents[document] = _Document(prefix + suffix)
        elif not _is_split(state.text, prefix, suffix):
            return
        rate = tokens / len(text) if text else 0.0
        shown = state.shown
        if shown and _place(shown, state.text, len(prefix)) and _is_same(shown.offered, text):
            shown.start, shown.text, shown.typed, shown.closed = len(prefix), text, 0, 0
            shown.tokens_per_character = rate or shown.tokens_per_character
            shown.ids.add(id)
            return
        self._leave(state)
        self._statistics.shown(language)
        state.shown = _Shown(document, language, {id}, len(prefix), text, rate, self._clock())

    def changed(self, document: str, text: str) -> None:
        """The document's whole text after a change."""
        state = self._documents.get(document)
        if state is None:
            self._documents[document] = _Document(text)
            return
        self._look_for_taken(state)
        old, state.text = state.text, text
        if not (state.shown or state.doubted or state.announced or state.taken) or text == old:
            return
        edit = edit_between(old, text, near=_cursor(state))
        self._follow_taken(state, edit)
        self._resolve_announced(state, edit)
        revived = self._resolve_doubted(state)
        if state.shown and not revived:
            self._judge(state, state.shown, old, edit)

    def moved(self, document: str, offset: int) -> None:
        """The cursor is here now: a request came from here. Asking again at the same place says
        nothing; editors do so at many occasions."""
        state = self._documents.get(document)
        shown = state.shown if state is not None else None
        if state is not None and shown is not None and not _place(shown, state.text, offset):
            self._leave(state, LOOKED_AT_SECONDS)

    def accepted(self, id: str) -> None:
        """The item's command ran, before or after the change that inserted the text."""
        for state in self._documents.values():
            if state.shown is not None and id in state.shown.ids:
                shown, state.shown = state.shown, None
                if not shown.accepted:  # else it is what was inserted already
                    state.announced = shown, _offer(shown, state.text)
                self._accept(shown, 0 if shown.accepted else len(shown.offered))
                return
            if state.doubted is not None and id in state.doubted[0].ids:
                (shown, offer, _), state.doubted = state.doubted, None
                self._accept(shown, len(offer.offered))
                return
        for shown in self._ended:
            if id in shown.ids and shown.fate is not Fate.ACCEPTED:
                all_typed = max(0, len(shown.text) - shown.accepted)
                self._accept(shown, len(shown.offered) or all_typed)
                return

    def closed(self, document: str) -> None:
        """The document is open no more."""
        state = self._documents.pop(document, None)
        if state is not None:
            self._look_for_taken(state)
            self._resolve_doubted(state)
            self._leave(state)

    def close(self) -> None:
        """The editor goes: whatever is still shown ends."""
        for document in list(self._documents):
            self.closed(document)

    def _judge(self, state: _Document, shown: _Shown, old: str, edit: Edit) -> None:
        """What a change says of the suggestion that is shown."""
        new = state.text
        if _is_above(edit, shown, old, new):
            shown.start += edit.growth
        elif _is_below(edit, shown, old, new):
            pass
        elif not _is_at(edit, shown):
            self._leave(state)
        else:
            _begin_at(shown, min(edit.start, shown.start), old)
            written = new[shown.start : shown.end + edit.growth]
            inserted = new[edit.start : edit.new_end]
            agreed = _agreed(written, shown.text)
            if agreed is None:
                self._disagree(state, shown, old, inserted)
            else:
                self._go_on(state, shown, old, agreed, len(written) - agreed, _keys(inserted))

    def _go_on(
        self,
        state: _Document,
        shown: _Shown,
        old: str,
        agreed: int,
        closed: int,
        inserted_keys: int,
    ) -> None:
        """The document has so much of the suggestion now: typed, or inserted in one go."""
        grown = shown.text[shown.typed : agreed]
        at_once = min(_keys(grown), inserted_keys) >= SEVERAL_KEYS
        if at_once and _is_word_end(shown.text, agreed):
            self._take(state, shown, grown, shown.cursor, _offer(shown, old))
            shown.accepted += len(grown)
        shown.typed, shown.closed = agreed, closed
        if not shown.offered:
            fate = Fate.PARTLY if shown.accepted else Fate.TYPED
            self._end(state, shown, Fate.ACCEPTED if at_once else fate)

    def _disagree(self, state: _Document, shown: _Shown, old: str, inserted: str) -> None:
        """Typed over; but a single key may be a slip."""
        state.shown, offer = None, _offer(shown, old)
        if _keys(inserted) == 1:
            state.doubted = shown, offer, self._clock()
        else:
            self._refuse(state, shown, offer, self._clock() - shown.at >= SEEN_SECONDS)

    def _resolve_doubted(self, state: _Document) -> bool:
        """Whether the change took back the key that disagreed: then all is as it was before."""
        if state.doubted is None:
            return False
        (shown, offer, at), state.doubted = state.doubted, None
        if state.text == offer.text:
            self._leave(state)
            state.shown = shown
            return True
        self._refuse(state, shown, offer, at - shown.at >= SEEN_SECONDS)
        return False

    def _leave(self, state: _Document, looked_at_seconds: float = math.inf) -> None:
        """What is shown vanishes; it was rejected when it stood for so long."""
        if state.shown is not None:
            shown, state.shown = state.shown, None
            stood = self._clock() - shown.at
            self._refuse(state, shown, _offer(shown, state.text), stood >= looked_at_seconds)

    def _refuse(self, state: _Document, shown: _Shown, offer: _Offer, is_rejected: bool) -> None:
        """It ends, and is used no further."""
        if is_rejected:
            self._remember(shown, offer)
        unused = Fate.REJECTED if is_rejected else Fate.PASSED
        self._end(state, shown, Fate.PARTLY if shown.accepted else unused)

    def _remember(self, shown: _Shown, offer: _Offer) -> None:
        prefix, suffix = offer.text[: offer.cursor], offer.text[offer.end :]
        shown.rejection = self._rejections.remember(shown.document, prefix, suffix, offer.offered)

    def _accept(self, shown: _Shown, characters: int) -> None:
        """The command says so, whatever the changes looked like."""
        if shown.rejection is not None:
            self._rejections.forget(shown.rejection)
        if shown.fate is None:
            self._ended.append(shown)
        shown.accepted += characters
        self._count(shown, Fate.ACCEPTED)

    def _end(self, state: _Document, shown: _Shown, fate: Fate) -> None:
        if state.shown is shown:
            state.shown = None
        self._ended.append(shown)
        self._count(shown, fate)

    def _count(self, shown: _Shown, fate: Fate) -> None:
        """Count this end, in place of the one that was counted before."""
        if shown.fate is not None:
            self._statistics.ended(shown.language, shown.fate, *shown.counted, times=-1)
        shown.fate = fate
        shown.counted = shown.accepted, round(shown.accepted * shown.tokens_per_character)
        self._statistics.ended(shown.language, fate, *shown.counted)

    def _take(self, state: _Document, shown: _Shown, text: str, start: int, offer: _Offer) -> None:
        state.taken.append(_Taken(shown, text, start, start + len(text), self._clock(), offer))
        del state.taken[:-MOST_TAKEN]

    def _resolve_announced(self, state: _Document, edit: Edit) -> None:
        """The change after the command is what the command spoke of."""
        if state.announced is not None:
            (shown, offer), state.announced = state.announced, None
            if inserted := state.text[edit.start : edit.new_end]:
                self._take(state, shown, inserted, edit.start, offer)

    def _follow_taken(self, state: _Document, edit: Edit) -> None:
        """Where accepted texts are after a change; one that is gone soon was undone."""
        for taken in list(state.taken):
            taken.start, taken.end = edit.moved(taken.start), edit.moved(taken.end)
            if taken.offer is None:
                continue
            is_removed = taken.start == taken.end and edit.start == edit.new_end
            if is_removed or state.text == taken.offer.text:
                state.taken.remove(taken)
                self._undo(state, taken.shown, taken.offer, len(taken.text))

    def _undo(self, state: _Document, shown: _Shown, offer: _Offer, characters: int) -> None:
        self._remember(shown, offer)
        shown.accepted = max(0, shown.accepted - characters)
        fate = Fate.PARTLY if shown.accepted else Fate.REJECTED
        if shown.fate is None:
            self._end(state, shown, fate)
        else:
            self._count(shown, fate)

    def _look_for_taken(self, state: _Document) -> None:
        """See whether accepted texts are still there. No timer is needed: until the next change
        the text is what it was when it was time to look."""
        now = self._clock()
        for taken in list(state.taken):
            if now - taken.at >= UNDO_SECONDS:
                taken.offer = None
            while taken.checks and now - taken.at >= taken.checks[0][0]:
                _, after = taken.checks.popleft()
                language = taken.shown.language
                self._statistics.kept(language, after, _is_there(taken, state.text))
            if not taken.checks:
                state.taken.remove(taken)


def _cursor(state: _Document) -> int:
    """Where the next change is to be expected, as far as that is known."""
    if state.announced is not None:
        return state.announced[1].cursor
    return state.shown.cursor if state.shown is not None else 0


def _offer(shown: _Shown, text: str) -> _Offer:
    return _Offer(text, shown.cursor, shown.end, shown.offered)


def _is_split(text: str, prefix: str, suffix: str) -> bool:
    return (
        len(text) == len(prefix) + len(suffix) and text.startswith(prefix) and text.endswith(suffix)
    )


def _is_same(offered: str, text: str) -> bool:
    """Whether one of two suggestions for a place is the beginning of the other."""
    return offered.startswith(text) or text.startswith(offered)


def _place(shown: _Shown, text: str, cursor: int) -> bool:
    """Note where the cursor is, which the text does not tell where the editor closed brackets;
    False when that is not on the way along the suggestion."""
    typed, closed = text[shown.start : cursor], text[cursor : shown.end]
    if not shown.start <= cursor <= shown.end or not shown.text.startswith(typed):
        return False
    if closed.strip(_ADDED):
        return False
    shown.typed, shown.closed = len(typed), len(closed)
    return True


def _is_above(edit: Edit, shown: _Shown, old: str, new: str) -> bool:
    """Whether only lines before the suggestion's changed."""
    line = old.rfind("\n", 0, shown.start) + 1
    if edit.end < line:
        return True
    ends_a_line = edit.new_end > 0 and new[edit.new_end - 1] == "\n"
    return edit.end == line and shown.cursor > line and ends_a_line


def _is_below(edit: Edit, shown: _Shown, old: str, new: str) -> bool:
    """Whether only lines after the suggestion's changed, and perhaps the end of its own."""
    line_end = old.find("\n", shown.end)
    if line_end != edit.start:
        return 0 <= line_end < edit.start
    only_lines_removed = edit.new_end == edit.start and new[line_end : line_end + 1] in ("\n", "")
    return shown.end < line_end or only_lines_removed


def _is_at(edit: Edit, shown: _Shown) -> bool:
    """Whether the change is where the cursor is, and not only in its line."""
    return (
        shown.start - FURTHEST_BACK <= edit.start <= shown.end
        and shown.start <= edit.end <= shown.end
    )


def _begin_at(shown: _Shown, start: int, text: str) -> None:
    """Regard what is in the text before a suggestion as typed along it."""
    back = text[start : shown.start]
    shown.start, shown.text, shown.typed = start, back + shown.text, shown.typed + len(back)


def _agreed(written: str, text: str) -> int | None:
    """How many characters of a suggestion were written; None when something else was. What editors
    add on their own is neither: closing brackets and quotes, indentation after a new line."""
    same = same_ahead(written, text)
    rest = written[same:]
    if not rest or same == len(text) or _is_added_by_editor(rest, written[:same]):
        return same
    return None


def _is_added_by_editor(rest: str, typed: str) -> bool:
    """Whether what follows what was typed came without typing."""
    if not rest.strip(" \t"):
        return "\n" in typed and not typed.rpartition("\n")[2].strip()
    if not _CLOSED.fullmatch(rest):
        return False
    expected = iter(_closing(typed))
    return all(sign in expected for sign in rest.strip())


def _closing(typed: str) -> str:
    """What would close the brackets and quotes that are open, the innermost first."""
    open_ones: list[str] = []
    for sign in typed:
        if open_ones and sign == open_ones[-1]:
            open_ones.pop()
        elif sign in _CLOSING:
            open_ones.append(_CLOSING[sign])
    return "".join(reversed(open_ones))


def _keys(text: str) -> int:
    """The fewest keys that type this: a new line brings its indentation, a tab several blanks."""
    return len(_BLANKS.sub(" ", text))


def _is_word_end(text: str, offset: int) -> bool:
    return offset == len(text) or not (_in_word(text[offset - 1]) and _in_word(text[offset]))


def _in_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _is_there(taken: _Taken, text: str) -> bool:
    """Whether enough of an accepted text is still at its place, in order."""
    near = text[max(0, taken.start - NEAR) : taken.end + NEAR]
    if taken.text in near:
        return True
    wanted, found = _WORD_OR_SIGN.findall(taken.text), _WORD_OR_SIGN.findall(near)
    same = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    return bool(wanted) and sum(block.size for block in same) >= KEPT_SHARE * len(wanted)
