import re
from collections.abc import Callable
from dataclasses import replace

from lsp_server.context.assembly import choose
from lsp_server.context.steadiness import MARGIN, RECEIVER_POINTS, Chosen, Piece, steady
from lsp_server.context.types import Cursor, Window
from lsp_server.prompt.types import Snippet
from tests.context.memory_index import MemoryIndex

CLIENT = "class Client:\n" + "".join(
    f"    def method_{i}(self, argument: int) -> str: ...\n" for i in range(60)
)
FILES = {"pkg/client.py": CLIENT, "pkg/other.py": "def other(): ...\n"}
INDEX = MemoryIndex({**FILES, **{f"w{number}.py": "" for number in range(9)}})
TEXT = "from pkg.client import Client\nc = Client()\nc.|"
Similar = Callable[[], list[Window] | None]


def count(text: str) -> int:
    return len(re.findall(r"\w+|\W", text.replace("    ", " ")))


def windows(*numbers: int) -> Similar:
    """Windows of ten lines each, the first the best."""
    found = [
        Window(f"w{n}.py", n, tuple(f"line {n} {i}" for i in range(10)), 10.0 - n) for n in numbers
    ]
    return lambda: found


def chosen(text: str, similar: Similar, budget: int = 512, **more: object) -> Chosen:
    prefix, _, suffix = text.partition("|")
    cursor = Cursor("app.py", "python", prefix, suffix)
    return choose(cursor, INDEX, similar, budget, count, **more)  # type: ignore[arg-type]


def tokens(found: Chosen) -> int:
    lines = (line for each in found.snippets for line in (each.path, *each.text.splitlines()))
    return sum(count(line + "\n") for line in lines)


def test_strong_definitions_come_first_and_windows_fill_the_rest() -> None:
    found = chosen(TEXT, windows(1, 2))
    assert [snippet.path for snippet in found.snippets] == ["pkg/client.py", "w1.py", "w2.py"]
    assert found.evidence == {
        "pkg/client.py": "receiver",
        "w1.py": "similar text",
        "w2.py": "similar text",
    }


def test_without_evidence_all_of_it_is_similar_text() -> None:
    found = chosen("x = 1\n|", windows(*range(9)))
    assert {snippet.path[0] for snippet in found.snippets} == {"w"}
    assert tokens(found) > 400


def test_any_budget_is_kept_and_lines_are_whole() -> None:
    for budget in (20, 50, 130, 260, 512):
        found = chosen(TEXT, windows(1, 2, 3), budget)
        assert tokens(found) <= budget
        for snippet in found.snippets:
            assert snippet.text.endswith("\n")
            if snippet.path.startswith("w"):
                assert all(re.fullmatch(r"line \d \d", line) for line in snippet.text.splitlines())


def test_definitions_leave_room_for_windows() -> None:
    found = chosen(TEXT, windows(1))
    definitions = Chosen(snippets=found.snippets[:1])
    assert 200 < tokens(definitions) <= int(0.85 * 512)


def test_what_is_typed_chooses_among_members() -> None:
    found = chosen(TEXT.replace("c.|", "c.method_57|"), windows())
    assert "def method_57(self" in found.snippets[0].text
    assert found.wanted == {"method_57"}


def test_where_there_is_no_time_for_similar_text_definitions_will_do() -> None:
    found = chosen(TEXT, lambda: None)
    assert [snippet.path for snippet in found.snippets] == ["pkg/client.py"]
    assert not found.whole
    assert chosen(TEXT, windows()).whole


def test_own_definitions_outside_of_the_window_are_candidates() -> None:
    text = "class Own:\n    def far(self): ...\n" + "\n" * 200 + "o = Own()\no.|"
    assert chosen(text, windows()).snippets == ()
    start = len(text) - 60
    found = chosen(text, windows(), window=(start, len(text)))
    assert found.snippets[0].path == "app.py"
    assert "def far(self)" in found.snippets[0].text


def test_recently_used_files_come_first_among_equals() -> None:
    index = MemoryIndex({"a.py": "class Ape: ...\n", "b.py": "class Bee: ...\n"})
    cursor = Cursor("app.py", "python", "from a import Ape\nfrom b import Bee\n\n", "")
    for recent in (["a.py", "b.py"], ["b.py", "a.py"], ["c.py", "b.py"]):
        found = choose(cursor, index, windows(), 512, count, recent=recent)
        first = next(path for path in recent if path != "c.py")
        assert found.snippets[0].path == first


def test_typing_on_keeps_the_choice() -> None:
    first = chosen("from pkg.client import Client\nc = Client()\nother = c|", windows(1, 2))
    again = chosen(
        "from pkg.client import Client\nc = Client()\nother = c + |", windows(2, 1), previous=first
    )
    assert again is first


def test_a_new_receiver_always_wins() -> None:
    first = chosen("x = 1\n|", windows(1, 2))
    again = chosen(TEXT, windows(1, 2), previous=first)
    assert again.snippets[0].path == "pkg/client.py"


def test_a_member_that_is_typed_and_was_not_shown_wins() -> None:
    first = chosen(TEXT, windows())
    again = chosen(TEXT.replace("c.|", "c.method_57|"), windows(), previous=first)
    assert "def method_57(self" in again.snippets[0].text


def choice(*pieces: Piece) -> Chosen:
    return Chosen("app.py", (Snippet("pkg/other.py", "text\n"),), {}, pieces)


def test_steady_keeps_the_previous_choice_up_to_the_margin() -> None:
    old = choice(Piece("pkg/other.py", "", (0, 10), 10.0))
    little = choice(Piece("pkg/client.py", "", (0, 10), MARGIN - 1))
    much = choice(Piece("pkg/client.py", "", (0, 10), MARGIN + 1))
    receiver = choice(Piece("pkg/client.py", "Client", (0, 0), RECEIVER_POINTS))
    shifted = choice(Piece("pkg/other.py", "", (4, 14), 1000.0))
    assert steady(little, old, INDEX) is old
    assert steady(shifted, choice(Piece("pkg/other.py", "", (0, 10), 1.0)), INDEX) is not shifted
    assert steady(much, old, INDEX) is much
    assert steady(receiver, old, INDEX) is receiver


def test_steady_gives_up_what_is_gone_or_of_another_document() -> None:
    gone = choice(Piece("pkg/gone.py", "", (0, 10), 10.0))
    new = choice(Piece("pkg/client.py", "", (0, 10), 1.0))
    assert steady(new, gone, INDEX) is new
    elsewhere = Chosen("b.py", (Snippet("pkg/other.py", "x\n"),), {}, ())
    assert steady(new, elsewhere, INDEX) is new


def test_a_changed_definition_is_shown_anew() -> None:
    first = chosen(TEXT, windows())
    changed = MemoryIndex({"pkg/client.py": CLIENT.replace("argument", "other_argument")})
    cursor = Cursor("app.py", "python", TEXT[:-1], "")
    again = choose(cursor, changed, windows(), 512, count, previous=first)
    assert "other_argument" in again.snippets[0].text


def test_steady_gives_up_what_there_was_no_time_for() -> None:
    old = choice(Piece("pkg/other.py", "", (0, 10), 1.0))
    new = choice(Piece("pkg/other.py", "", (20, 30), 1.0))
    assert steady(new, old, INDEX) is old
    assert steady(new, replace(old, whole=False), INDEX) is new


def test_a_class_and_its_bases_share_the_room_by_what_is_wanted() -> None:
    heads = "".join(f"    def method_{i}(self, argument: int) -> str: ...\n" for i in range(60))
    mails = "".join(f"    def send_mail_{i}(self, argument: int) -> str: ...\n" for i in range(60))
    files = {
        "a.py": f"from b import B\nclass A(B):\n{heads}",
        "b.py": f"from c import C\nclass B(C):\n{heads}",
        "c.py": f"class C:\n{mails}",
    }
    text = "from a import A\nmail.send()\nA()."
    cursor = Cursor("app.py", "python", text, "")
    found = choose(cursor, MemoryIndex(files), windows(), 512, count)
    shown = "".join(each.text for each in found.snippets)
    assert "def send_mail_9" in shown
    assert "class A" in shown
