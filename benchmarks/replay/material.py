"""What is typed: bodies of functions in files of pinned source distributions.

The procedure, for each package and seed: files of more than 40 lines whose path does not speak of
tests are shuffled. In turn one function is drawn from each, and from each package, until there are
enough. Its body without the docstring is deleted and typed anew, with the rest of the file in
place. A body counts when it has at least 4 lines, 140 to 220 keys, none but ASCII characters, and
no blank space at line ends. The packages are not among those that anything was tuned on.
"""

from __future__ import annotations

import ast
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.replay.rhythm import split_into_keys
from lsp_server.evaluation.packages import sources, unpack

PACKAGES = (
    "itsdangerous==2.2.0:sha256=e0050c0b7da1eea53ffaf149c0cfbb5c6e2e2b69c4bef22c81fa6eb73e5f6173",
    "marshmallow==3.23.1:sha256=3a8dfda6edd8dcdbf216c0ede1d1e78d230a6dc9c5a088f58c4083b974a0d468",
    "sqlparse==0.5.1:sha256=bb6b4df465655ef332548e24f08e205afc81b9ab86cb1c45657a7ff173a3a00e",
    "tomlkit==0.13.2:sha256=fff5fe59a87295b278abd31bec92c15d9bc4a06885ab12bcea52c71119392e79",
)
LEAST_FILE_LINES, LEAST_LINES = 40, 4
FEWEST_KEYS, MOST_KEYS = 140, 220

_TEST = re.compile(r"(^|[/_])(conf)?tests?([/_.]|$)")
_LINE_END_SPACE = re.compile(r"[ \t](\n|$)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a file that is typed between `before` and `after`. `path` is from the workspace's
    root; `requirement` names the package that is the workspace, where there is one."""

    name: str
    path: str
    before: str
    text: str
    after: str
    requirement: str | None = None

    def write_workspace(self, folder: Path, cache: Path) -> Path:
        """Lay the workspace out in `folder`, without the segment; its root. Raises FetchError."""
        root = folder / "workspace"
        if self.requirement:
            unpack(self.requirement, cache, folder)
            root = folder / self.requirement.partition("==")[0]
        file = root / self.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.before + self.after, "utf-8")
        return root


def from_packages(requirements: Sequence[str], cache: Path, count: int, seed: int) -> list[Segment]:
    """At most `count` segments, the same for the same seed. Raises FetchError."""
    return taken_in_turn(
        [
            _of_files(sources(requirement, cache), f"{seed} {requirement}", requirement)
            for requirement in requirements
        ],
        count,
    )


def from_files(files: Sequence[Path], count: int, seed: int) -> list[Segment]:
    """The same from single files, each a workspace of its own."""
    return taken_in_turn(
        [_of_files({file.name: file.read_text("utf-8")}, f"{seed} {file.name}") for file in files],
        count,
    )


def taken_in_turn(found: Sequence[Iterator[Segment]], count: int) -> list[Segment]:
    """The first of each, the second of each, and so on, `count` in all."""
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*found))
    return list(itertools.islice((each for each in rounds if each is not None), count))


def _of_files(
    files: Mapping[str, str], seed: str, requirement: str | None = None
) -> Iterator[Segment]:
    draw = random.Random(seed)
    paths = sorted(path for path, text in files.items() if text.count("\n") > LEAST_FILE_LINES)
    draw.shuffle(paths)
    bodies = {path: list(_bodies(files[path])) for path in paths if not _TEST.search(path)}
    while any(bodies.values()):
        for path, left in bodies.items():
            if left:
                name, start, end = left.pop(draw.randrange(len(left)))
                text = files[path]
                label = f"{path}:{name}"
                yield Segment(label, path, text[:start], text[start:end], text[end:], requirement)


def _bodies(text: str) -> Iterator[tuple[str, int, int]]:
    """Functions that count: name, and where the body's text begins and ends."""
    lines = text.split("\n")
    begins = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body and body[0].lineno > node.lineno:
                start = begins[body[0].lineno - 1] + body[0].col_offset
                end = begins[body[-1].end_lineno or body[-1].lineno] - 1
                if _counts(text[start:end]):
                    yield node.name, start, end


def _counts(body: str) -> bool:
    return (
        body.isascii()
        and body.count("\n") >= LEAST_LINES - 1
        and FEWEST_KEYS <= len(split_into_keys(body)) <= MOST_KEYS
        and not _LINE_END_SPACE.search(body)
    )
