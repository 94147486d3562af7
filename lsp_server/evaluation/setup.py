"""Under which conditions the rows of a benchmark are completed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import attrs

from lsp_server.completion.types import Output
from lsp_server.evaluation.rows import Row, RowsError, behind_indentation, on_its_own_line, snippets
from lsp_server.prompt.types import Snippet
from lsp_server.settings import Settings, StatisticsSettings

CursorPlace = Literal["published", "line", "indented"]
PAPER_TOKENS, PAPER_CROSS_FILE, PAPER_NEW = 2048, 512, 50

UNHURRIED_MS = 3_600_000
"""What is measured does not depend on how fast or busy the machine is."""


@dataclass(frozen=True, slots=True)
class Setup:
    """`cross_file`: no other files (`none`), those pieces that come with a row (`given`), what our
    own context chooses from the row's workspace (`workspace`), or the list of pieces of that name
    in the row's meta. `output`: how much is done with the model's text. `cursor`: as the row has it
    (`published`), on a line of its own where whole lines are missing (`line`), or there behind the
    indentation that an editor gives the line, unless the answer has less (`indented`)."""

    settings: Settings
    cross_file: str = "none"
    output: Output = "fitted"
    cursor: CursorPlace = "line"

    @property
    def is_usual(self) -> bool:
        """Whether output and cursor are those of an editor."""
        return (self.output, self.cursor) == ("fitted", "line")

    def place(self, row: Row) -> Row:
        """The row with its cursor where this setup wants it."""
        if self.cursor == "published":
            return row
        row = on_its_own_line(row)
        return behind_indentation(row) if self.cursor == "indented" else row

    def shown(self, row: Row) -> tuple[Snippet, ...]:
        """The pieces of other files that the row itself brings, best first. Raises RowsError where
        it has no list of that name."""
        if self.cross_file in ("none", "workspace"):
            return ()
        if self.cross_file == "given":
            return row.cross_file
        if self.cross_file not in row.meta:
            raise RowsError(
                f"row {row.id} has no list {self.cross_file} of other files in its meta"
            )
        return snippets(row.meta[self.cross_file])


def unhurried(settings: Settings) -> Settings:
    """Settings under which nothing is left out for want of time, kept from row to row, or
    counted."""
    return attrs.evolve(
        settings,
        engine=attrs.evolve(settings.engine, timeout_seconds=UNHURRIED_MS / 1000),
        completion=attrs.evolve(settings.completion, prefetch=False, reuse=False),
        context=attrs.evolve(settings.context, deadline_ms=UNHURRIED_MS),
        statistics=StatisticsSettings(enabled=False),
    )


def as_in_the_paper(setup: Setup) -> Setup:
    """The setting of arXiv 2401.14196, section 4.3: only what stands left of the cursor, 2048
    tokens in all, of which other files may have 512, and leave the rest to the file itself, and 50
    new ones, judged as the model wrote them."""
    settings = setup.settings
    prompt = attrs.evolve(
        settings.prompt,
        order="left",
        prefix_tokens=PAPER_TOKENS - PAPER_NEW - PAPER_CROSS_FILE,
        suffix_tokens=0,
        cross_file_tokens=PAPER_CROSS_FILE,
    )
    completion = attrs.evolve(settings.completion, max_tokens=PAPER_NEW, min_confidence=0.0)
    settings = attrs.evolve(settings, prompt=prompt, completion=completion)
    return replace(setup, settings=settings, output="raw", cursor="published")
