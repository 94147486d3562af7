"""The rows of benchmarks: places in files, and what stands there.

Rows are JSON lines, plain or compressed (.gz, .xz), one object a line:

    id           names the row
    benchmark    begins with the suite's short name: heinfill, cceval, safim, repository
    language     of the file, as editors call it
    prefix, suffix, groundtruth    the file before and after the cursor, and what stands there
    path         of the file, from the repository's root (optional)
    repo         the repository's name (optional)
    cross_file   other files' pieces as the benchmark ships them, best first: [{path, text}]
                 (optional)
    workspace    the repository's folder, from the rows' own folder (optional; without such a folder
                 the row has no workspace)
    meta         what the suite needs besides, such as the tests of a function (optional)

The benchmarks' own published files are taken as well.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lsp_server.context.languages.table import LANGUAGES, language_of
from lsp_server.prompt.types import Snippet

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.xz")

_OPENERS = (":", "{", "(", "[")
_LEVEL = re.compile(r"^(\t| {2,})\S", re.M)  # a single space is that of a comment's next line
_USUAL_LEVEL = " " * 4


class RowsError(Exception):
    """Rows cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A place in a file: `groundtruth` stands between `prefix` and `suffix`. `path` is from the
    repository's root, which is `workspace` where that is at hand; `cross_file` best first."""

    id: str
    benchmark: str
    language: str
    prefix: str
    suffix: str
    groundtruth: str
    path: str
    repository: str = ""
    cross_file: tuple[Snippet, ...] = ()
    workspace: Path | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """What is reported together: the benchmark's part, and the language."""
        named = self.benchmark.endswith(f"-{self.language}")
        return self.benchmark if named else f"{self.benchmark} {self.language}"


def read(source: Path) -> Iterator[Row]:
    """The rows of a file, or of all files of rows in a folder. Raises RowsError."""
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.name.endswith(SUFFIXES))
        if not files:
            raise RowsError(f"{source} holds no files named {', '.join('*' + s for s in SUFFIXES)}")
    else:
        files = [source]
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            try:
                yield _row(json.loads(line), file)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RowsError(
                    f"{file}, line {number} is no row of a benchmark: {error!r}"
                ) from error


def sample(rows: Iterable[Row], limit: int, seed: int) -> list[Row]:
    """At most `limit` rows of each group. Those of a smaller limit are among those of a larger."""

    def drawn(row: Row) -> str:
        return hashlib.sha256(f"{seed} {row.id}".encode()).hexdigest()

    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return [row for group in groups.values() for row in sorted(group, key=drawn)[:limit]]


def on_its_own_line(row: Row) -> Row:
    """The row as an editor has it: where whole lines are missing, the cursor stands on an empty
    line, and does not push the next one away."""
    if row.prefix.endswith("\n") and row.groundtruth.endswith("\n"):
        return replace(row, groundtruth=row.groundtruth[:-1], suffix="\n" + row.suffix)
    return row


def with_line_end(row: Row, suggestion: str) -> str:
    """A suggestion, which never ends its line, as text of the row: where whole lines are missing
    right before the next one, the line is ended."""
    is_missing = row.groundtruth.endswith("\n") and not suggestion.endswith("\n")
    return suggestion + "\n" * is_missing


def behind_indentation(row: Row) -> Row:
    """The row with the cursor behind the indentation that an editor gives a new line there. Where
    the answer is indented less, it stays at the line's start: no user would complete there."""
    if row.prefix and not row.prefix.endswith("\n"):
        return row
    given = _automatic_indentation(row)
    if not row.groundtruth.startswith(given):
        return row
    return replace(row, prefix=row.prefix + given, groundtruth=row.groundtruth[len(given) :])


def _automatic_indentation(row: Row) -> str:
    """That of the last line before the cursor that is not blank, and a level more behind an
    opener: what the file's first level is indented by."""
    above = next((line for line in reversed(row.prefix.split("\n")) if line.strip()), "")
    indentation = above[: len(above) - len(above.lstrip())]
    if not above.rstrip().endswith(_OPENERS):
        return indentation
    levels: list[str] = _LEVEL.findall(row.prefix + row.suffix)
    return indentation + min(levels, key=len, default=_USUAL_LEVEL)


def _lines(file: Path) -> Iterator[str]:
    openers = {".gz": gzip.open, ".xz": lzma.open}
    try:
        with openers.get(file.suffix, open)(file, "rt", encoding="utf-8") as text:  # type: ignore[operator]
            yield from (line for line in text if line.strip())
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise RowsError(f"{file} cannot be read: {error}") from error


def _row(data: Mapping[str, Any], file: Path) -> Row:
    if "eval_prompt" in data:
        return _safim(data, file)
    if "canonical_solution" in data:
        return _humaneval(data)
    if "right_context" in data:
        return _crosscodeeval(data)
    workspace = data.get("workspace")
    folder = file.parent / workspace if workspace else None
    return Row(
        id=data["id"],
        benchmark=data["benchmark"],
        language=data["language"],
        prefix=data["prefix"],
        suffix=data["suffix"],
        groundtruth=data["groundtruth"],
        path=data.get("path") or _any_path(data["language"]),
        repository=data.get("repo") or "",
        cross_file=snippets(data.get("cross_file")),
        workspace=folder if folder and folder.is_dir() else None,
        meta=data.get("meta") or {},
    )


def snippets(chunks: Iterable[Mapping[str, Any]] | None) -> tuple[Snippet, ...]:
    """Pieces of other files, from their form in a row."""
    return tuple(Snippet(chunk["path"], chunk["text"]) for chunk in chunks or ())


def _humaneval(data: Mapping[str, Any]) -> Row:
    """As in github.com/openai/human-eval-infilling; ids begin with the part's name."""
    parts = {
        "SingleLineInfilling": "single-line",
        "MultiLineInfilling": "multi-line",
        "RandomSpanInfilling": "random-span",
        "RandomSpanInfillingLight": "random-span-light",
    }
    return Row(
        id=data["task_id"],
        benchmark=f"heinfill-{parts[data['task_id'].split('/')[0]]}",
        language="python",
        prefix=data["prompt"],
        suffix=data["suffix"],
        groundtruth=data["canonical_solution"],
        path=_any_path("python"),
        meta={"test": data["test"], "entry_point": data["entry_point"]},
    )


def _crosscodeeval(data: Mapping[str, Any]) -> Row:
    """As in github.com/amazon-science/cceval; ids are `project_cc_LANGUAGE/NUMBER`."""
    known = data["metadata"]
    language = known["task_id"].split("/")[0].removeprefix("project_cc_")
    chunks = (data.get("crossfile_context") or {}).get("list") or []
    return Row(
        id=known["task_id"],
        benchmark=f"cceval-{language}",
        language=language,
        prefix=data["prompt"],
        suffix=data["right_context"],
        groundtruth=data["groundtruth"],
        path=known["file"],
        repository=known["repository"],
        cross_file=tuple(Snippet(each["filename"], each["retrieved_chunk"]) for each in chunks),
    )


def _safim(data: Mapping[str, Any], file: Path) -> Row:
    """As in github.com/gonglinyuan/safim; only the file's name says which part it is."""
    part = next((each for each in ("api", "control") if each in file.name), None)
    if part is None:
        raise ValueError("of SAFIM, files named after the parts api and control are taken")
    prefix, suffix = data["eval_prompt"].split("{{completion}}")
    tests = data["unit_tests"]
    return Row(
        id=f"{part}/{data['task_id']}",
        benchmark=f"safim-{part}",
        language=data["lang"],
        prefix=prefix,
        suffix=suffix,
        groundtruth=data["ground_truth"],
        path=_any_path(data["lang"]),
        meta={"unit_tests": json.loads(tests) if isinstance(tests, str) else tests},
    )


def _any_path(language: str) -> str:
    """A name for a file that has none."""
    name = language_of("", language).name
    endings = next((each.endings for each in LANGUAGES if each.name == name), ("",))
    return f"solution{endings[0]}"
