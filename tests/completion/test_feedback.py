"""Sessions of editors as sequences of a document's texts, in which `|` is the cursor."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.feedback import (
    LOOKED_AT_SECONDS,
    MOST_TAKEN,
    SEEN_SECONDS,
    UNDO_SECONDS,
    Feedback,
)
from lsp_server.completion.rejections import Rejections
from lsp_server.completion.statistics import Fate, Statistics

URI = "file:///a.py"
SOON = SEEN_SECONDS / 2
READ = SEEN_SECONDS + 0.1


class Counts(Statistics):
    """Statistics that stay in memory."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.counts: Counter[str] = Counter()

    def _add(self, language: str, name: str, number: int = 1) -> None:
        assert language == "python"
        self.counts[name] += number


class Editor:
    """One document that is edited, with a clock that stands still unless told."""

    def __init__(self, place: str) -> None:
        self.now = 0.0
        self.statistics = Counts()
        self.rejections = Rejections()
        self.feedback = Feedback(self.statistics, self.rejections, lambda: self.now)
        self.suggested = 0
        self.prefix, self.suffix = split(place)
        self.feedback.changed(URI, self.prefix + self.suffix)

    def show(self, text: str, tokens: int = 0) -> str:
        """Ask where the cursor is, and be shown a text; returns its id."""
        self.suggested += 1
        self.ask()
        id = str(self.suggested)
        self.feedback.shown(URI, self.prefix, self.suffix, text, id, tokens, "python")
        return id

    def ask(self) -> None:
        self.feedback.moved(URI, len(self.prefix))

    def change(self, place: str) -> None:
        self.prefix, self.suffix = split(place)
        self.feedback.changed(URI, self.prefix + self.suffix)

    def insert(self, text: str, closing: str = "") -> None:
        self.change(f"{self.prefix}{text}|{closing}{self.suffix}")

    def type(self, text: str) -> None:
        for key in text:
            self.insert(key)

    def delete(self, count: int = 1) -> None:
        self.change(f"{self.prefix[:-count]}|{self.suffix}")

    def wait(self, seconds: float) -> None:
        """Let time pass, and then be told of the same text once more."""
        self.now += seconds
        self.feedback.changed(URI, self.prefix + self.suffix)

    def refuses(self, text: str) -> bool:
        return self.rejections.holds(URI, self.prefix, self.suffix, text)

    @property
    def fates(self) -> list[Fate]:
        """How suggestions ended, in the order of the classes."""
        counts = self.statistics.counts
        assert all(number >= 0 for number in counts.values())
        return [fate for fate in Fate for _ in range(counts[fate.value])]


def split(place: str) -> tuple[str, str]:
    prefix, _, suffix = place.partition("|")
    return prefix, suffix


RETURN = "def double(x):\n    re|\n\n\nprint(double(2))\n"
SESSIONS = {
    "VS Code: accepted": (RETURN, "turn 2 * x", ["turn 2 * x"], Fate.ACCEPTED),
    "VS Code: typed some, then accepted": (
        *(RETURN, "turn 2 * x"),
        *(["t", "u", "rn 2 * x"], Fate.ACCEPTED),
    ),
    "VS Code: several lines accepted": (
        *("def f():|\n", "\n    a = 1\n    return a"),
        *(["\n    a = 1\n    return a"], Fate.ACCEPTED),
    ),
    "VS Code: a word accepted, then something else": (
        *(RETURN, "turn double(x)"),
        *(["turn", " ", "3"], Fate.PARTLY),
    ),
    "VS Code: word by word to the end": (
        *(RETURN, "turn double(x)"),
        *(["turn", " double", "(x)"], Fate.PARTLY),
    ),
    "VS Code: a word and then all": (
        *(RETURN, "turn double(x)"),
        *(["turn", " double(x)"], Fate.ACCEPTED),
    ),
    "typed through": (RETURN, "turn 2 * x", list("turn 2 * x"), Fate.TYPED),
    "typed over": (RETURN, "turn 2 * x", ["d", "u"], Fate.REJECTED),
    "typed over after some": (RETURN, "turn 2 * x", ["t", "u", "r", "f", "f"], Fate.REJECTED),
    "something else pasted": (RETURN, "turn 2 * x", ["quire_all()"], Fate.REJECTED),
    "Neovim: typed through, merged": (
        *(RETURN, "turn 2 * x"),
        *(["tu", "rn ", "2", " * ", "x"], Fate.TYPED),
    ),
    "Neovim: typed over, merged": (RETURN, "turn 2 * x", ["tu", "rf"], Fate.REJECTED),
    "Neovim: accepted right after a key, merged": (
        *(RETURN, "turn 2 * x"),
        *(["t", "urn 2 * x"], Fate.ACCEPTED),
    ),
    "Neovim: accepted and typed on, merged": (
        *(RETURN, "turn 2 * x"),
        *(["turn 2 * x +"], Fate.ACCEPTED),
    ),
    "Neovim: typed to its end and on, merged": (RETURN, "t", ["t + 1"], Fate.TYPED),
    "Neovim: much of it typed, merged": (
        RETURN,
        "turn double",
        ["turn dou", "q", "q"],
        Fate.REJECTED,
    ),
    "a blank too many": ("x =|\n", " 1", [" ", " "], Fate.REJECTED),
    "Neovim: a line of two": (
        *("def f():|\n", "\n    a = 1\n    return a"),
        *(["\n    a = 1", "\n    ", "p"], Fate.PARTLY),
    ),
    "an indented line typed": (
        *("def f():|\n", "\n    a = 1"),
        *(["\n    ", "a", " ", "=", " ", "1"], Fate.TYPED),
    ),
    "a tab of blanks is one key": ("x = [\n|", "    12", ["    ", "1", "2"], Fate.TYPED),
    "only the new line typed": ("def f():|\n", "\n    a = 1", ["\n    ", "b", "c"], Fate.REJECTED),
    "the editor indents too much": ("    f()|\n", "\ng()", ["\n    "], Fate.PASSED),
}


@pytest.mark.parametrize(("place", "text", "pieces", "fate"), SESSIONS.values(), ids=SESSIONS)
def test_a_session(place: str, text: str, pieces: list[str], fate: Fate) -> None:
    editor = Editor(place)
    editor.show(text)
    editor.wait(READ)
    for piece in pieces:
        editor.insert(piece)
    editor.feedback.close()
    assert editor.fates == [fate]
    assert editor.statistics.counts["shown"] == 1


BRACKETS = {
    "typed": (["open(|)", "open(p|)", "open(p,|)", "open(p, |)", "open(p, q|)"], Fate.TYPED),
    "typed over the closing one": (
        ["open(|)", "open(p|)", "open(p, q|)", "open(p, q)|"],
        Fate.TYPED,
    ),
    "accepted": (["open(|)", "open(p, q)|"], Fate.ACCEPTED),
    "typed over": (["open(|)", "open(q|)", "open(qq|)"], Fate.REJECTED),
    "a blank too many": (["open(|)", "open( |)"], Fate.REJECTED),
    "one too many": (["open(|)", "open()|)"], Fate.REJECTED),
    "taken back": (["open(|)", "open|", "open |", "open p|"], Fate.REJECTED),
}


@pytest.mark.parametrize(("places", "fate"), BRACKETS.values(), ids=BRACKETS)
def test_editors_close_brackets(places: list[str], fate: Fate) -> None:
    editor = Editor("open|\n")
    editor.show("(p, q)")
    editor.wait(READ)
    for place in places:
        editor.change(place + "\n")
    editor.feedback.close()
    assert editor.fates == [fate]


def test_editors_close_quotes() -> None:
    editor = Editor("open|\n")
    editor.show('("a", b)')
    editor.wait(READ)
    for place in ["open(|)", 'open("|")', 'open("a|")', 'open("a"|)']:
        editor.change(place + "\n")
        editor.ask()
    assert editor.fates == []
    editor.change('open("a""|)\n')
    editor.feedback.close()
    assert editor.fates == [Fate.REJECTED]


def test_editors_close_blocks() -> None:
    editor = Editor("if (x) |\n")
    editor.show("{\n    f(1);\n}")
    editor.wait(READ)
    for place in ["if (x) {|}", "if (x) {\n    |\n}", "if (x) {\n    f(1|);\n}"]:
        editor.change(place + "\n")
    editor.feedback.close()
    assert editor.fates == [Fate.ACCEPTED]


@pytest.mark.parametrize("text", ["def f():\n    ret|\n", "ret|", "x = ret|)\nret ret\n"])
def test_a_menu_replaces_the_word(text: str) -> None:
    """As Helix, Kate and Emacs do: the word and the rest in one change, or the whole text."""
    editor = Editor(text)
    editor.show("urn_to(retro)")
    editor.change(text.replace("ret|", "return_to(retro)|"))
    assert editor.fates == [Fate.ACCEPTED]


def test_a_menu_inserts_less_than_was_offered() -> None:
    editor = Editor("def f():\n    ret|\n")
    editor.show("urn 1\n\n\nf()")
    editor.change("def f():\n    return 1|\n")
    editor.change("def f():\n    return 1\n    |\n")
    editor.feedback.close()
    assert editor.fates == [Fate.PARTLY]


def test_a_suggestion_that_is_typed_along_is_one() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2")
    editor.type("t")
    editor.show("urn 2 * x")
    editor.type("u")
    editor.show("rn 2 * x")
    editor.show("rn 2 * x")
    editor.insert("rn 2 * x")
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["shown"] == 1
    assert editor.statistics.counts["accepted characters"] == len("rn 2 * x")


def test_typed_along_into_closed_brackets_it_is_one() -> None:
    editor = Editor("open|\n")
    editor.show("(p, q)")
    editor.insert("(", closing=")")
    editor.show("p, q")
    editor.insert("p, q")
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["shown"] == 1


def test_another_suggestion_in_its_place_passes_it() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.show("move(x)")
    assert editor.fates == [Fate.PASSED]
    assert editor.statistics.counts["shown"] == 2
    assert not editor.refuses("turn 2 * x")


def test_an_answer_that_comes_too_late_is_not_shown() -> None:
    editor = Editor(RETURN)
    prefix, suffix = editor.prefix, editor.suffix
    editor.type("q")
    editor.feedback.shown(URI, prefix, suffix, "turn 2 * x", "1", 4, "python")
    editor.feedback.close()
    assert not editor.statistics.counts


def test_what_was_typed_over_is_refused_until_something_changes() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.type("du")
    editor.delete(2)
    assert editor.refuses("turn 2 * x")
    editor.delete()
    assert editor.refuses("eturn 2 * x")
    editor.change("def double(y):\n    re|\n\n\nprint(double(2))\n")
    assert not editor.refuses("turn 2 * x")


def test_what_was_typed_over_before_it_could_be_read_was_not_rejected() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(SOON)
    editor.type("du")
    assert editor.fates == [Fate.PASSED]
    editor.delete(2)
    assert not editor.refuses("turn 2 * x")


def test_what_was_typed_over_early_was_not_rejected_by_thinking_later() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(SOON)
    editor.type("d")
    editor.wait(10)
    editor.type("u")
    assert editor.fates == [Fate.PASSED]


def test_a_slip_of_the_finger_is_no_rejection() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.type("r")
    editor.show("aise")
    editor.delete()
    assert not editor.refuses("turn 2 * x")
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    assert editor.fates == [Fate.ACCEPTED, Fate.PASSED]
    assert editor.statistics.counts["shown"] == 2


def test_what_is_taken_back_is_offered_again() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.type("tu")
    editor.delete(3)
    editor.show("eturn 2 * x")
    editor.type("e")
    editor.insert("turn 2 * x")
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["shown"] == 1


@pytest.mark.parametrize(
    "edit",
    [
        lambda place: "import os\n" + place,
        lambda place: place + "print(double(3))\n",
        lambda place: place.replace("double(2)", "double(3)"),
        lambda place: place.replace("def double", "def twice"),
        lambda place: place.replace("\n\n\n", "\n"),
    ],
)
def test_an_edit_elsewhere_is_no_rejection(edit: object) -> None:
    assert callable(edit)
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.type("t")
    editor.change(edit("def double(x):\n    ret|\n\n\nprint(double(2))\n"))
    editor.insert("urn 2 * x")
    assert editor.fates == [Fate.ACCEPTED]


@pytest.mark.parametrize(
    ("place", "edited"), [("re|\n", "import os\nre|\n"), ("f(re|)\n", "f(re|);\n")]
)
def test_an_edit_right_beside_it_is_none_either(place: str, edited: str) -> None:
    editor = Editor(place)
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.change(edited)
    editor.insert("turn 2 * x")
    assert editor.fates == [Fate.ACCEPTED]


def test_the_line_made_a_comment_passes_it() -> None:
    editor = Editor("re|\n")
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.change("# re|\n")
    assert editor.fates == [Fate.PASSED]


def test_an_edit_elsewhere_in_the_line_passes_it() -> None:
    editor = Editor("f(1) + |\n")
    editor.show("f(2)")
    editor.wait(READ)
    editor.change("f(11|) + \n")
    assert editor.fates == [Fate.PASSED]


def test_asking_twice_says_nothing() -> None:
    editor = Editor(RETURN)
    for _ in range(5):
        editor.show("turn 2 * x")
        editor.wait(10)
        editor.ask()
    assert editor.fates == []
    assert not editor.refuses("turn 2 * x")


@pytest.mark.parametrize(
    ("seconds", "fate"),
    [(LOOKED_AT_SECONDS + 0.1, Fate.REJECTED), (LOOKED_AT_SECONDS - 0.1, Fate.PASSED)],
)
def test_asked_elsewhere_after_it_was_looked_at(seconds: float, fate: Fate) -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(seconds)
    editor.feedback.moved(URI, 3)
    assert editor.fates == [fate]
    assert editor.refuses("turn 2 * x") is (fate is Fate.REJECTED)


@pytest.mark.parametrize("back", ["re|", "|", "r|"])
def test_undone(back: str) -> None:
    """The acceptance alone, all that was typed before it too (Vim), or more of it."""
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    editor.wait(UNDO_SECONDS / 2)
    editor.change(RETURN.replace("re|", back))
    assert editor.fates == [Fate.REJECTED]
    assert editor.statistics.counts["accepted characters"] == 0
    editor.change(RETURN)
    assert editor.refuses("turn 2 * x")


def test_deleted_key_by_key_is_undone() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    for _ in "turn 2 * x":
        editor.delete()
    assert editor.fates == [Fate.REJECTED]


def test_deleted_much_later_is_not_undone() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    editor.wait(UNDO_SECONDS + 1)
    editor.delete(len("turn 2 * x"))
    assert editor.fates == [Fate.ACCEPTED]
    assert not editor.refuses("turn 2 * x")


def test_a_word_that_is_undone() -> None:
    editor = Editor(RETURN)
    editor.show("turn double(x)")
    editor.insert("turn")
    editor.delete(4)
    assert editor.fates == [Fate.REJECTED]


def test_one_word_of_two_that_is_undone() -> None:
    editor = Editor(RETURN)
    editor.show("turn double(x)")
    editor.insert("turn")
    editor.insert(" double")
    editor.delete(len(" double"))
    assert editor.fates == [Fate.PARTLY]
    assert editor.statistics.counts["accepted characters"] == len("turn")
    assert editor.refuses(" double(x)")


def test_what_is_replaced_with_all_around_it_is_not_undone() -> None:
    editor = Editor("x = 1\n" * 100 + "|")
    editor.show("x = 1 + 1")
    editor.insert("x = 1 + 1")
    editor.change("y|")
    assert editor.fates == [Fate.ACCEPTED]


def test_a_text_that_repeats_itself_undone() -> None:
    editor = Editor("ab\nab\n|ab\n")
    editor.show("ab\nab\n")
    editor.insert("ab\nab\n")
    editor.change("ab\nab\n|ab\n")
    assert editor.fates == [Fate.REJECTED]


def test_the_command_after_the_change_counts_once() -> None:
    editor = Editor(RETURN)
    id = editor.show("turn 2 * x", tokens=5)
    editor.insert("turn 2 * x")
    editor.feedback.accepted(id)
    editor.feedback.accepted(id)
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["accepted tokens"] == 5


def test_the_command_before_the_change_counts_once() -> None:
    editor = Editor(RETURN)
    id = editor.show("turn 2 * x", tokens=5)
    editor.feedback.accepted(id)
    editor.insert("turn 2 * x")
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["accepted tokens"] == 5
    editor.delete(len("turn 2 * x"))
    assert editor.fates == [Fate.REJECTED]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_command_names_any_of_the_requests(which: int) -> None:
    editor = Editor(RETURN)
    ids = [editor.show("turn 2 * x")]
    editor.type("t")
    ids += [editor.show("urn 2 * x"), editor.show("urn 2 * x")]
    editor.feedback.accepted(ids[which])
    assert editor.fates == [Fate.ACCEPTED]


@pytest.mark.parametrize("inserted", ["x", "turn 2*x  # as the editor formats it"])
def test_the_command_knows_better_than_the_change(inserted: str) -> None:
    """A text too short to tell from typing, and one that the editor changed."""
    text = inserted if inserted == "x" else "turn 2 * x"
    editor = Editor(RETURN)
    id = editor.show(text)
    editor.wait(READ)
    editor.insert(inserted)
    editor.feedback.accepted(id)
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["accepted characters"] == len(text)
    editor.delete(len(inserted))
    assert not editor.rejections.holds(URI, editor.prefix, editor.suffix, text)


def test_the_command_before_a_change_in_text_that_repeats_itself() -> None:
    editor = Editor("ab ab ab |ab ab\n")
    id = editor.show("ab ab ")
    editor.feedback.accepted(id)
    editor.insert("ab ab ")
    editor.change("ab ab ab ab |ab ab\n")
    editor.wait(UNDO_SECONDS)
    assert editor.fates == [Fate.ACCEPTED]


def test_a_command_of_another_server_is_none_of_ours() -> None:
    editor = Editor(RETURN)
    editor.feedback.accepted("7")
    assert not editor.statistics.counts


STAYS = {
    "untouched": (lambda text: text, True),
    "moved down": (lambda text: "import os\nimport sys\n" * 20 + text, True),
    "moved up": (lambda text: text.removeprefix("def double(x):\n"), True),
    "renamed": (lambda text: text.replace("2 * x", "2 * value"), True),
    "indented": (lambda text: text.replace("    return", "        return"), True),
    "rewritten": (lambda text: text.replace("return 2 * x", "return sum((x, x))"), False),
    "replaced": (lambda text: text.replace("return 2 * x", "pass"), False),
    "mostly gone": (lambda text: text.replace("return 2 * x", "return"), False),
    "all replaced": (lambda text: "nothing\n", False),
}


@pytest.mark.parametrize(("edit", "is_there"), STAYS.values(), ids=STAYS)
def test_whether_it_is_still_there(edit: object, is_there: bool) -> None:
    assert callable(edit)
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    editor.wait(29)
    assert not editor.statistics.counts["looked for after 30 s"]
    editor.change(edit(editor.prefix + editor.suffix) + "|")
    editor.wait(2)
    counts = editor.statistics.counts
    assert counts["looked for after 30 s"] == 1
    assert counts["still there after 30 s"] == is_there
    editor.wait(300)
    assert counts["looked for after 5 min"] == 1
    assert counts["still there after 5 min"] == is_there
    editor.wait(1000)
    assert counts["looked for after 5 min"] == 1


def test_another_of_its_kind_far_away_is_another() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    text = editor.prefix + editor.suffix
    editor.change(text + "#" * 100 + "return 2 * x|")
    editor.change((text + "#" * 100).replace("return 2 * x", "pass") + "return 2 * x|")
    editor.wait(31)
    assert editor.statistics.counts["still there after 30 s"] == 0


def test_still_there_when_all_lines_are_formatted() -> None:
    lines = [f"value_{number} = {number}" for number in range(60)]
    editor = Editor("\n".join([*lines[:40], "r|", *lines[40:]]))
    editor.show("esult = compute(value_1, value_2)")
    editor.insert("esult = compute(value_1, value_2)")
    text = editor.prefix + editor.suffix
    editor.change("".join(f"    {line};\n" for line in text.split("\n")) + "|")
    editor.wait(31)
    assert editor.statistics.counts["still there after 30 s"] == 1


def test_looked_for_before_a_change_that_comes_later() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    editor.now += 31
    editor.delete(len("turn 2 * x"))
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["still there after 30 s"] == 1


def test_looked_for_as_the_document_is_closed() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.insert("turn 2 * x")
    editor.now += 31
    editor.feedback.closed(URI)
    assert editor.statistics.counts["still there after 30 s"] == 1


def test_only_so_many_accepted_texts_are_followed() -> None:
    editor = Editor("|")
    for _ in range(MOST_TAKEN + 10):
        editor.show("call(1)\n")
        editor.insert("call(1)\n")
    editor.wait(31)
    assert editor.statistics.counts["accepted"] == MOST_TAKEN + 10
    assert editor.statistics.counts["looked for after 30 s"] == MOST_TAKEN


def test_tokens_accepted_are_those_of_what_was_inserted() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x", tokens=5)
    editor.type("t")
    editor.show("urn 2 * x\n\n\nf()", tokens=30)
    editor.insert("urn 2 * x")
    editor.feedback.close()
    assert editor.statistics.counts["accepted tokens"] == round(30 * 9 / 15)


def test_a_word_of_it_moved_by_edits_key_by_key_before_it() -> None:
    editor = Editor("x = \ny = co|\n")
    editor.show("mpute_all(things)")
    editor.insert("mpute_all(things)")
    for end in range(1, 90):
        editor.change("x = " + "a" * end + "|\ny = compute_all(things)\n")
    editor.wait(31)
    assert editor.statistics.counts["still there after 30 s"] == 1


def test_what_is_closed_ends() -> None:
    editor = Editor(RETURN)
    editor.show("turn 2 * x")
    editor.wait(READ)
    editor.feedback.closed(URI)
    editor.feedback.closed(URI)
    assert editor.fates == [Fate.PASSED]
    editor.feedback.changed(URI, "")
    assert editor.fates == [Fate.PASSED]


def test_a_document_that_nobody_announced() -> None:
    editor = Editor(RETURN)
    editor.feedback.shown("b.py", "x = ", "\n", "first(2)", "b", 3, "python")
    editor.feedback.changed("b.py", "x = first(2)\n")
    assert editor.fates == [Fate.ACCEPTED]


def test_the_command_after_its_first_line_was_inserted() -> None:
    editor = Editor("def f():|\n")
    id = editor.show("\n    a = 1\n    return a", tokens=24)
    editor.insert("\n    a = 1")
    editor.feedback.accepted(id)
    editor.type("0")
    editor.wait(31)
    assert editor.fates == [Fate.ACCEPTED]
    assert editor.statistics.counts["accepted characters"] == len("\n    a = 1")
    assert editor.statistics.counts["looked for after 30 s"] == 1


code = st.text("ab_ (){}\n", max_size=20)
suggestions = code.filter(lambda text: bool(text.strip()))


@given(prefix=code, suffix=code, text=suggestions)
def test_whatever_is_accepted_in_one_go_counts_and_stays(
    prefix: str, suffix: str, text: str
) -> None:
    text = "four " + text.strip(" ")
    editor = Editor(f"{prefix}|{suffix}")
    editor.show(text)
    editor.insert(text)
    assert editor.fates == [Fate.ACCEPTED]
    editor.wait(301)
    assert editor.statistics.counts["still there after 30 s"] == 1
    assert editor.statistics.counts["still there after 5 min"] == 1


@given(prefix=code, suffix=code, text=suggestions)
def test_whatever_is_undone_is_refused(prefix: str, suffix: str, text: str) -> None:
    text = "four " + text
    editor = Editor(f"{prefix}|{suffix}")
    editor.show(text)
    editor.insert(text)
    editor.delete(len(text))
    assert editor.fates == [Fate.REJECTED]
    assert editor.refuses(text)


@given(prefix=code, suffix=code, text=suggestions, asks=st.booleans())
def test_whatever_is_typed_key_by_key_was_typed(
    prefix: str, suffix: str, text: str, asks: bool
) -> None:
    editor = Editor(f"{prefix}|{suffix}")
    for typed, key in enumerate(text):
        if asks or not typed:
            editor.show(text[typed:])
        editor.type(key)
    assert editor.fates == [Fate.TYPED]
    assert editor.statistics.counts["shown"] == 1


@given(prefix=code, suffix=code, text=suggestions, keys=st.text("xyz.1", min_size=1))
def test_typing_something_else_is_no_acceptance(
    prefix: str, suffix: str, text: str, keys: str
) -> None:
    editor = Editor(f"{prefix}|{suffix}")
    editor.show(text)
    for key in keys:
        editor.wait(READ)
        editor.type(key)
    editor.feedback.close()
    assert editor.fates == [Fate.REJECTED]


ACTIONS = st.one_of(
    st.tuples(st.just("show"), suggestions),
    st.tuples(st.just("insert"), code),
    st.tuples(st.just("take"), st.integers(1, 20)),
    st.tuples(st.just("delete"), st.integers(1, 8)),
    st.tuples(st.just("go"), st.integers(0, 60)),
    st.tuples(st.just("command"), st.integers(1, 10)),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 5.0, 40.0])),
    st.tuples(st.just("replace"), code),
    st.tuples(st.just("close"), st.none()),
)


@given(actions=st.lists(ACTIONS, max_size=40))
def test_every_suggestion_ends_in_one_class(actions: list[tuple[str, object]]) -> None:
    editor, shown = Editor("a = (\n|\n)\n"), ""
    for name, value in actions:
        if name == "show" and isinstance(value, str):
            shown = value
            editor.show(value, tokens=len(value))
        elif name == "insert" and isinstance(value, str):
            editor.insert(value)
        elif name == "replace" and isinstance(value, str):
            editor.change(value + "|")
        elif name == "close":
            editor.feedback.closed(URI)
        elif name == "wait" and isinstance(value, float):
            editor.wait(value)
        elif isinstance(value, int):
            whole = editor.prefix + editor.suffix
            if name == "take":
                editor.insert(shown[:value])
                shown = shown[value:]
            elif name == "delete":
                editor.delete(value)
            elif name == "go":
                editor.prefix, editor.suffix = whole[:value], whole[value:]
                editor.ask()
            else:
                editor.feedback.accepted(str(value))
    editor.feedback.close()
    counts = editor.statistics.counts
    assert len(editor.fates) == counts["shown"]
    taken = counts[Fate.ACCEPTED.value] + counts[Fate.PARTLY.value]
    assert (counts["accepted characters"] > 0) == (taken > 0)
