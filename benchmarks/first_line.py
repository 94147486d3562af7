"""First-line exact match of what the server suggests, over rows of infilling benchmarks.

A row's prefix and suffix are opened as a document and completed by the server's own code; the first
line of the suggestion is compared with the first line of the row's groundtruth, blank space at the
ends left out. Rows are JSON lines (plain or .xz) with `id`, `prefix`, `suffix`, `groundtruth`,
`language` and, where there are any, `path` and `meta`.

    python -m benchmarks.first_line heinfill-single-line.dev.jsonl.xz --limit 100
    python -m benchmarks.first_line cceval-python.dev.jsonl.xz --chunks rg1_bm25
"""

from __future__ import annotations

import argparse
import asyncio
import json
import lzma
import random
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from tqdm import tqdm

from benchmarks.common import print_setting, spread
from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import CompletionRequest, EngineState, Suggestion
from lsp_server.prompt.types import Snippet
from lsp_server.settings import Settings, StatisticsSettings, load

RESAMPLES = 2000


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("rows", type=Path, help="JSON lines, plain or .xz")
    parser.add_argument("--limit", type=int, help="only so many rows, drawn with --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="another model than the default one")
    parser.add_argument("--order", choices=("auto", "psm", "spm"), default="auto")
    parser.add_argument("--chunks", help="take cross-file chunks from meta[CHUNKS]")
    parser.add_argument(
        "--indented", action="store_true", help="move the cursor behind the line's indentation"
    )
    parser.add_argument("--show", type=int, default=0, help="print so many misses")
    args = parser.parse_args()
    rows = list(read_rows(args.rows))
    if args.limit and args.limit < len(rows):
        rows = random.Random(args.seed).sample(rows, args.limit)
    asyncio.run(run(rows, args))


async def run(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Complete every row and print the score, its interval and the timings."""
    service = await ready_service(settings_for(args))
    hits: list[bool] = []
    suggestions: list[Suggestion] = []
    misses: list[tuple[str, str, str]] = []
    try:
        for row in tqdm(rows, disable=not sys.stderr.isatty()):
            prefix, truth = row["prefix"], row["groundtruth"]
            if args.indented:
                prefix, truth = behind_indentation(prefix, truth)
            suggestion = await service.complete(request_of(row, prefix, args.chunks))
            expected, got = first_line(truth), first_line(suggestion.text)
            hits.append(expected == got)
            suggestions.append(suggestion)
            if expected != got:
                misses.append((row["id"], expected, got))
    finally:
        await service.close()
    report(hits, suggestions)
    for name, expected, got in misses[: args.show]:
        print(f"{name}\n  wanted {expected!r}\n  got    {got!r}")


def settings_for(args: argparse.Namespace) -> Settings:
    """The user's settings, with what the command line says and no more than one line wanted."""
    settings, _ = load()
    if args.model:
        settings = attrs.evolve(settings, model=args.model)
    return attrs.evolve(
        settings,
        prompt=attrs.evolve(settings.prompt, order=args.order),
        completion=attrs.evolve(settings.completion, max_lines=1, prefetch=False),
        engine=attrs.evolve(settings.engine, timeout_seconds=120.0),
        statistics=StatisticsSettings(enabled=False),
    )


async def ready_service(settings: Settings) -> CompletionService:
    """A service whose model is loaded. Raises SystemExit when it cannot be."""
    states: asyncio.Queue[EngineState] = asyncio.Queue()
    service = CompletionService(settings, states.put_nowait)
    await service.start()
    while (state := await states.get()).status != "ready":
        if state.status == "failed":
            raise SystemExit(state.message)
    return service


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    data = file.read_bytes()
    text = lzma.decompress(data) if file.suffix == ".xz" else data
    for line in text.splitlines():
        yield json.loads(line)


def request_of(row: dict[str, Any], prefix: str, chunks: str | None) -> CompletionRequest:
    """The row as a document with a cursor; its cross-file chunks from `meta[chunks]`."""
    given = row["meta"].get(chunks) or [] if chunks else []
    return CompletionRequest(
        path=row.get("path") or "solution.py",
        language=row["language"],
        text=prefix + row["suffix"],
        offset=len(prefix),
        cross_file=tuple(Snippet(chunk["path"], chunk["text"]) for chunk in given),
        repository=row.get("repo") or "",
        invoked=True,  # also where an editor's own request would be left alone
    )


def behind_indentation(prefix: str, truth: str) -> tuple[str, str]:
    """The cursor moved to where an editor's automatic indentation would put it."""
    line = truth.split("\n")[0]
    width = len(line) - len(line.lstrip(" \t"))
    return prefix + truth[:width], truth[width:]


def first_line(text: str) -> str:
    """The first line that is not blank, without blank space at its ends."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def report(hits: list[bool], suggestions: list[Suggestion]) -> None:
    """Print score, 95 % bootstrap interval, outcomes, orders and latencies."""
    low, high = bootstrap(hits)
    print_setting()
    share = 100 * sum(hits) / len(hits)
    print(f"first-line exact match: {share:.1f} % [{low:.1f}, {high:.1f}] of {len(hits)} rows")
    receipts = [suggestion.receipt for suggestion in suggestions]
    print(f"outcomes: {dict(Counter(receipt.outcome.name.lower() for receipt in receipts))}")
    print(f"orders:   {dict(Counter(receipt.order for receipt in receipts))}")
    for part in ("cross_file", "prefix", "suffix", "generated"):
        tokens = [receipt.tokens.get(part, 0) for receipt in receipts]
        print(f"tokens, {part}: median {statistics.median(tokens):.0f}, most {max(tokens)}")
    for stage in ("prompt", "first_token", "generate"):
        times = [r.stages_ms[stage] for r in receipts if stage in r.stages_ms]
        print(f"{stage}: {spread(times, 25, 75, 95)}")


def bootstrap(hits: list[bool]) -> tuple[float, float]:
    """95 % interval of the share of hits, in percent."""
    draw = random.Random(0)
    shares = sorted(
        100 * sum(draw.choices(hits, k=len(hits))) / len(hits) for _ in range(RESAMPLES)
    )
    return shares[int(0.025 * RESAMPLES)], shares[int(0.975 * RESAMPLES)]


if __name__ == "__main__":
    main()
