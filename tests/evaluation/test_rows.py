from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from lsp_server.evaluation.rows import (
    Row,
    RowsError,
    behind_indentation,
    on_its_own_line,
    read,
    sample,
    with_line_end,
)
from lsp_server.prompt.types import Snippet
from tests.evaluation.rows import row

OURS: dict[str, Any] = {
    "id": "one",
    "benchmark": "cceval-java",
    "language": "java",
    "repo": "owner-name",
    "path": "src/A.java",
    "prefix": "class A { int b = ",
    "suffix": "; }\n",
    "groundtruth": "1",
    "cross_file": [{"path": "B.java", "text": "class B {}\n", "score": 0.5}],
    "workspace": "there",
    "meta": {"more": [1]},
}


def written(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return file


def only(file: Path, *rows: dict[str, Any]) -> Row:
    [found] = read(written(file, *rows))
    return found


def test_a_row_of_our_own_form(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    found = only(tmp_path / "rows.jsonl", OURS)
    assert found == Row(
        id="one",
        benchmark="cceval-java",
        language="java",
        prefix="class A { int b = ",
        suffix="; }\n",
        groundtruth="1",
        path="src/A.java",
        repository="owner-name",
        cross_file=(Snippet("B.java", "class B {}\n"),),
        workspace=tmp_path / "there",
        meta={"more": [1]},
    )


def test_what_a_row_need_not_have(tmp_path: Path) -> None:
    needed = ("id", "benchmark", "language", "prefix", "suffix", "groundtruth")
    found = only(tmp_path / "rows.jsonl", {name: OURS[name] for name in needed})
    assert (found.path, found.repository, found.cross_file) == ("solution.java", "", ())
    assert found.workspace is None
    assert found.meta == {}


def test_a_workspace_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert only(tmp_path / "rows.jsonl", OURS).workspace is None


def test_a_row_of_humaneval_infilling_as_published(tmp_path: Path) -> None:
    published = {
        "task_id": "RandomSpanInfillingLight/HumanEval/2/1",
        "entry_point": "f",
        "prompt": "def f(x):\n    return x",
        "suffix": "\n",
        "canonical_solution": " % 1.0",
        "test": "def check(candidate):\n    assert candidate(3.5) == 0.5\n",
    }
    found = only(tmp_path / "HumanEval-RandomSpanInfillingLight.jsonl", published)
    assert (found.benchmark, found.language) == ("heinfill-random-span-light", "python")
    assert (found.prefix, found.groundtruth, found.suffix) == (
        "def f(x):\n    return x",
        " % 1.0",
        "\n",
    )
    assert found.meta == {"test": published["test"], "entry_point": "f"}


def test_a_row_of_crosscodeeval_as_published(tmp_path: Path) -> None:
    published = {
        "prompt": "class A { int b = ",
        "groundtruth": "C.d();",
        "right_context": "\n}\n",
        "metadata": {
            "task_id": "project_cc_csharp/122",
            "repository": "owner-name",
            "file": "src/A.cs",
            "context_start_lineno": 0,
        },
        "crossfile_context": {
            "text": "// d",
            "list": [{"retrieved_chunk": "class C {}", "filename": "C.cs", "score": 1.0}],
        },
    }
    found = only(tmp_path / "line_completion_rg1_bm25.jsonl", published)
    assert (found.benchmark, found.language, found.path) == ("cceval-csharp", "csharp", "src/A.cs")
    assert (found.id, found.repository) == ("project_cc_csharp/122", "owner-name")
    assert found.cross_file == (Snippet("C.cs", "class C {}"),)
    assert found.suffix == "\n}\n"
    del published["crossfile_context"]
    assert only(tmp_path / "line_completion.jsonl", published).cross_file == ()


@pytest.mark.parametrize("part", ["api", "control"])
def test_a_row_of_safim_as_published(tmp_path: Path, part: str) -> None:
    published = {
        "task_id": "block_completion_000000",
        "lang": "cpp",
        "prompt": "Complete the code",
        "eval_prompt": "int a = {{completion}};\n",
        "ground_truth": "b()",
        "unit_tests": '[{"input": "1", "output": ["2"]}]',
    }
    found = only(tmp_path / f"{part}_completion.jsonl", published)
    assert (found.benchmark, found.id) == (f"safim-{part}", f"{part}/block_completion_000000")
    assert (found.prefix, found.groundtruth, found.suffix) == ("int a = ", "b()", ";\n")
    assert found.path == "solution.cpp"
    assert found.meta == {"unit_tests": [{"input": "1", "output": ["2"]}]}


def test_files_may_be_compressed_and_a_folder_means_all_of_them(tmp_path: Path) -> None:
    rows = [{**OURS, "id": name} for name in ("plain", "gz", "xz")]
    written(tmp_path / "a.jsonl", rows[0])
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps(rows[1]).encode()))
    (tmp_path / "c.jsonl.xz").write_bytes(lzma.compress(json.dumps(rows[2]).encode()))
    (tmp_path / "README.md").write_text("no rows")
    assert [each.id for each in read(tmp_path)] == ["plain", "gz", "xz"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="holds no files named"):
        list(read(tmp_path))
    with pytest.raises(RowsError, match=r"none\.jsonl cannot be read"):
        list(read(tmp_path / "none.jsonl"))
    (tmp_path / "cut.jsonl.xz").write_bytes(lzma.compress(b"{}" * 1000)[:50])
    with pytest.raises(RowsError, match="cannot be read"):
        list(read(tmp_path / "cut.jsonl.xz"))
    written(tmp_path / "rows.jsonl", OURS, {"id": "two"})
    with pytest.raises(RowsError, match=r"rows\.jsonl, line 2 is no row of a benchmark"):
        list(read(tmp_path / "rows.jsonl"))
    (tmp_path / "list.jsonl").write_text("[1]\n")
    with pytest.raises(RowsError, match="line 1 is no row"):
        list(read(tmp_path / "list.jsonl"))


def test_a_smaller_sample_is_part_of_a_larger_one_whatever_the_order() -> None:
    rows = [row(id=str(number)) for number in range(50)]
    ten = {each.id for each in sample(rows, 10, 0)}
    assert len(ten) == 10
    assert ten < {each.id for each in sample(rows, 20, 0)}
    assert ten == {each.id for each in sample(rows[::-1], 10, 0)}
    assert ten != {each.id for each in sample(rows, 10, 1)}


def test_each_group_is_sampled_by_itself() -> None:
    rows = [row(id=str(number), benchmark=f"safim-{number % 2}") for number in range(20)]
    assert len(sample(rows, 3, 0)) == 6
    assert len(sample(rows, 99, 0)) == 20


def test_groups_name_the_language_once() -> None:
    assert row(benchmark="cceval-java", language="java").group == "cceval-java"
    assert row(benchmark="safim-api", language="java").group == "safim-api java"


def test_where_whole_lines_are_missing_the_cursor_gets_one_of_its_own() -> None:
    lines = row(prefix="def f():\n", groundtruth="    a = 1\n", suffix="    return a\n")
    moved = on_its_own_line(lines)
    assert (moved.prefix, moved.groundtruth) == (lines.prefix, "    a = 1")
    assert moved.suffix == "\n    return a\n"
    within = row(prefix="def f():\n    a = ", groundtruth="1\n", suffix="    return a\n")
    assert on_its_own_line(within) == within
    before_text = row(prefix="x\n", groundtruth="a", suffix=" = 1\n")
    assert on_its_own_line(before_text) == before_text


def test_a_suggestion_ends_its_line_where_whole_lines_are_missing() -> None:
    there = row(prefix="def f(x):\n", groundtruth="    y = x\n", suffix="    return y")
    assert with_line_end(there, "    y = x") == with_line_end(there, "    y = x\n") == "    y = x\n"
    assert with_line_end(row(groundtruth="a"), "b") == "b"


@pytest.mark.parametrize(
    ("prefix", "suffix", "groundtruth", "given"),
    [
        ("def f():\n", "\n    return a\n", "    a = 1", "    "),
        ("def f():\n", "\n", "    a = 1", "    "),
        ("if (a) {\n", "\n  c();\n}\n", "  b();", "  "),
        ("/**\n * A.\n */\nclass A {\n", "\n\t\tb();\n\t}\n\tc();\n}\n", "\td() {", "\t"),
        ("def f():\n    a = 1\n\n", "\n", "    b = 2", "    "),
        ("    a = (\n", "\n    )\n", "            1", "        "),
        ("a = 1\n", "\n", "b = 2", ""),
    ],
)
def test_the_cursor_moves_behind_the_indentation_that_an_editor_gives(
    prefix: str, suffix: str, groundtruth: str, given: str
) -> None:
    there = row(prefix=prefix, suffix=suffix, groundtruth=groundtruth)
    moved = behind_indentation(there)
    assert moved.prefix == prefix + given
    assert moved.prefix + moved.groundtruth == prefix + groundtruth


def test_the_cursor_stays_where_the_answer_is_indented_less() -> None:
    ended = row(prefix="if a:\n    b()\n", groundtruth="else:", suffix="\n    c()\n")
    assert behind_indentation(ended) == ended
    within = row(prefix="a =", groundtruth="  1", suffix="\n")
    assert behind_indentation(within) == within
