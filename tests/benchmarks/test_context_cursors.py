from __future__ import annotations

from benchmarks.context.cursors import KINDS, NEAR_AFTER, NEAR_BEFORE, cases
from tests.benchmarks.tiny import FILES

MANY = {f"tiny/copy_{number}.py": text for number in range(9) for text in FILES.values()}


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
