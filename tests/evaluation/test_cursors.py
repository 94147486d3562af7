from __future__ import annotations

from lsp_server.evaluation.cursors import KINDS, NEAR_AFTER, NEAR_BEFORE, cases
from tests.benchmarks.tiny import FILES

MANY = {
    f"tiny/more_{number}.py": FILES["tiny/reader.py"].replace("entry", f"entry_{number}")
    for number in range(9)
}


def test_the_same_seed_gives_the_same_cursors() -> None:
    files = {**FILES, **MANY}
    for kind in KINDS:
        assert cases("tiny", files, kind, 5, 1) == cases("tiny", files, kind, 5, 1)
        reordered = dict(reversed(files.items()))
        assert cases("tiny", files, kind, 5, 1) == cases("tiny", reordered, kind, 5, 1)


def test_other_seeds_give_others() -> None:
    drawn = {cases("tiny", {**FILES, **MANY}, "member", 3, seed)[0].path for seed in range(9)}
    assert len(drawn) > 1


def test_a_member_cursor_stands_behind_the_dot_and_needs_the_members_name() -> None:
    found = cases("tiny", FILES, "member", 9, 0)
    assert {each.path for each in found} == {"tiny/reader.py"}
    for case in found:
        assert case.prefix.endswith("shelf.")
        assert case.needed <= {"shelve_record", "remove_damaged"}


def test_what_is_needed_does_not_stand_near() -> None:
    for kind in KINDS:
        for case in cases("tiny", FILES, kind, 9, 0):
            before = case.prefix.split("\n")[-NEAR_BEFORE:]
            near = "\n".join(before + case.suffix.split("\n")[:NEAR_AFTER])
            assert case.needed and not any(name in near for name in case.needed)
            assert FILES[case.path].startswith(case.prefix)
            assert FILES[case.path].endswith(case.suffix)


def test_of_a_copy_nothing_is_asked() -> None:
    """Two lines that stand in another file as well are no copy; three are."""
    reader = FILES["tiny/reader.py"].split("\n")
    last = next(i for i, line in enumerate(reader) if "remove_damaged" in line)
    for lines, expected in ((2, 1), (3, 0)):
        piece = "\n".join(line for line in reader[: last + 1] if line.strip()).split("\n")[-lines:]
        found = cases("tiny", {**FILES, "tiny/copy.py": "\n".join(piece)}, "member", 9, 0)
        assert len(found) == expected
