from __future__ import annotations

from lsp_server.context.alignment import Match, lines_after, lines_before, windows
from lsp_server.context.types import Cursor, Window

OTHER = """\
import time

def load(path):
    with open(path) as file:
        text = file.read()

    record = decode(text)
    record.check()
    store.insert(record)
    store.commit()
    return record.id


def unrelated():
    pass
"""


def cursor(prefix: str, suffix: str = "\n") -> Cursor:
    return Cursor("mine.py", "python", prefix, suffix)


def only(prefix: str, suffix: str = "\n", first_line: int = 0) -> Window:
    match = Match("other.py", first_line, 2.0)
    [window] = windows(cursor(prefix, suffix), [(match, OTHER.split("\n"))])
    return window


def test_the_window_shows_what_follows_the_same_lines() -> None:
    window = only("    record = decode(data)\n    record.check()\n")
    assert window.lines[4] == "    store.insert(record)"
    assert window.first_line == 4 and window.lines[:2] == ("        text = file.read()", "")


def test_the_line_being_typed_is_aligned_with_its_like() -> None:
    window = only("    record = decode(data)\n    record.check()\n    store.ins")
    assert "    store.insert(record)" in window.lines[4:6]


def test_lines_after_the_cursor_count_too() -> None:
    window = only("x\n    ", "\n    store.commit()\n    return record.id\n")
    assert window.lines[4] == "    store.insert(record)"


def test_a_match_may_continue_behind_its_chunk_and_at_the_end_of_the_file() -> None:
    text = "alpha = 1\nbeta = 2\n"
    match = Match("o.py", 0, 1.0)
    [window] = windows(cursor("alpha = 3\nbeta = 4\n"), [(match, text.split("\n"))])
    assert window == Window("o.py", 0, ("alpha = 1", "beta = 2"), window.score)


def test_a_chunk_beyond_the_end_of_a_file_that_has_shrunk() -> None:
    match = Match("o.py", 5000, 1.0)
    [window] = windows(cursor("a\n"), [(match, ["one", "two", ""])])
    assert window.lines == ("one", "two")
    assert windows(cursor("a\n"), [(match, ["", "", ""])]) == []


def test_better_matches_come_first_and_overlaps_are_shown_once() -> None:
    lines = [f"line{number} = {number}" for number in range(40)]
    found = [(Match("o.py", start, score), lines) for start, score in ((0, 1.0), (2, 3.0))]
    result = windows(cursor("nothing\n"), [*found, (Match("p.py", 0, 2.0), lines)])
    assert [each.path for each in result] == ["o.py", "p.py"]
    assert [each.score for each in result] == sorted((each.score for each in result), reverse=True)
    assert result[0].score == 1.0, "similarity's best is 1, and nothing aligns"


def test_only_lines_near_the_cursor_are_read() -> None:
    far = "\n".join(f"far{number}" for number in range(100))
    assert lines_before(cursor(f"{far}\n\n \nlast"))[-2:] == ["far99", "last"]
    assert len(lines_before(cursor(far))) == len(lines_after(far)) == 40
    assert lines_before(cursor("x" * 10**6)) == ["x" * 500]
