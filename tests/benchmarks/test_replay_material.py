from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.replay import material
from benchmarks.replay.material import Segment, from_files, from_packages, taken_in_turn
from tests.benchmarks.tiny import REQUIREMENT, write_archive

LINE = "    total = total + number * {n}  # step {n}"


def function(name: str, lines: int) -> str:
    body = "\n".join(LINE.format(n=n) for n in range(lines))
    return f'def {name}(number):\n    """What it does."""\n{body}\n\n\n'


def module(*names: str, lines: int = 4) -> str:
    padding = "\n".join(f"SETTING_{n} = {n}" for n in range(material.LEAST_FILE_LINES)) + "\n\n\n"
    return padding + "".join(function(name, lines) for name in names)


def write(folder: Path, **texts: str) -> list[Path]:
    files = [folder / f"{name}.py" for name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, "utf-8")
    return files


def test_a_segment_is_a_body_without_its_docstring_and_indentation(tmp_path: Path) -> None:
    text = module("one")
    [found] = from_files(write(tmp_path, a=text), 5, seed=1)
    assert found.before + found.text + found.after == text
    assert found.before.endswith('"""What it does."""\n    ')
    assert found.text.startswith("total = ") and found.text.endswith("# step 3")
    assert found.after.startswith("\n")


def test_files_take_turns_and_the_seed_decides(tmp_path: Path) -> None:
    files = write(tmp_path, a=module("one", "two", "three"), b=module("four", "five"))
    found = [each.name for each in from_files(files, 9, seed=1)]
    assert [name[:4] for name in found] == ["a.py", "b.py", "a.py", "b.py", "a.py"]
    assert found == [each.name for each in from_files(files, 9, seed=1)]
    orders = {tuple(each.name for each in from_files(files, 9, seed=n)) for n in range(9)}
    assert len(orders) > 1


@pytest.mark.parametrize(
    "text",
    [
        module("one", lines=2),
        module("one", lines=40),
        module("one").replace("step 2", "schritt für"),
        module("one").replace("step 2", "step   "),
        function("one", 4),
    ],
    ids=["short", "long", "not ascii", "blanks at a line's end", "short file"],
)
def test_what_does_not_count(text: str, tmp_path: Path) -> None:
    assert from_files(write(tmp_path, a=text), 5, seed=1) == []


def test_the_workspace_is_the_package_without_the_segment(tmp_path: Path) -> None:
    write_archive(tmp_path)
    segment = Segment("", "tiny/shelf.py", "class Shelf:\n    ", "gone", "\n", REQUIREMENT)
    root = segment.write_workspace(tmp_path / "work", tmp_path / "sdists")
    assert (root / "tiny" / "shelf.py").read_text() == "class Shelf:\n    \n"
    assert (root / "tiny" / "reader.py").exists()


def test_a_file_of_its_own_is_alone(tmp_path: Path) -> None:
    root = Segment("", "a.py", "x", "y", "z").write_workspace(tmp_path, tmp_path)
    assert [each.name for each in root.iterdir()] == ["a.py"]


def test_a_package_without_such_functions_gives_none(tmp_path: Path) -> None:
    write_archive(tmp_path)
    assert from_packages([REQUIREMENT], tmp_path / "sdists", 5, seed=1) == []


def test_turns_end_with_the_longest() -> None:
    draw = random.Random(1)
    made = [[Segment(f"{n}{m}", "", "", "", "") for m in range(draw.randrange(4))] for n in "abc"]
    found = taken_in_turn([iter(each) for each in made], 100)
    assert sorted(each.name for each in found) == sorted(
        each.name for some in made for each in some
    )
