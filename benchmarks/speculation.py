"""What drafts save, and that they change nothing: lines of real prompts, with and without them.

Each row's prompt is read once. Then its line is generated twice from the same KV cache, as at a
keystroke whose prompt was read before: with drafts and without, in turn. The two must be the same,
token by token. A document is used once, since what was read before, which drafts are taken from
too, must not hold the answer. Rows are as `coder-lsp eval` takes them.

    python -m benchmarks.speculation heinfill-single-line.dev.jsonl.xz --limit 100
    python -m benchmarks.speculation cceval-python.dev.jsonl.xz --cross-file rg1_bm25

With `--typed` the line of the groundtruth is typed, and completed anew at each character that the
last suggestion did not foresee. With `--rows` it is measured what a pass over more tokens costs.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.common import print_setting
from lsp_server.completion.builder import load_builder
from lsp_server.evaluation.rows import Row, read
from lsp_server.evaluation.setup import Setup
from lsp_server.evaluation.suites import first_line
from lsp_server.inference.engine.generate import Generator, Sampling, Token, Usage
from lsp_server.inference.engine.load import load_generator
from lsp_server.inference.engines import chosen_model
from lsp_server.inference.models.store import ModelStore
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.types import Prompt
from lsp_server.settings import Settings

MAX_TOKENS = 64
MAX_REQUESTS = 12
"""Most completions of one line that is typed."""
KV_SLOTS = 4


@dataclass(slots=True)
class Sums:
    """Of all requests of one kind: tokens, passes of the model, seconds."""

    tokens: int = 0
    passes: int = 0
    seconds: float = 0.0

    def add(self, tokens: Sequence[Token], usage: Usage, seconds: float) -> None:
        """Count one more request."""
        self.tokens += len(tokens)
        self.passes += usage.passes
        self.seconds += seconds


class Comparison:
    """Two generators over the same model and KV caches, one without drafts."""

    def __init__(self, generator: Generator, builder: PromptBuilder, setup: Setup) -> None:
        self._generator = generator
        self._builder = builder
        self._setup = setup
        self.drafts, self.plain = Sums(), Sums()
        self.requests, self.differ = 0, 0
        self.reread: list[int] = []

    def line(self, row: Row, typed: str = "") -> str:
        """The line that is generated after a row's prefix and what was typed."""
        prompt = self._prompt(row, typed)
        usage = Usage()
        # all but the last token is read, so that both begin at the same place
        list(self._generator.generate(prompt.ids[:-1], Sampling(1), usage))
        self.reread.append(usage.prompt - usage.cached)
        results = []
        for speculate, sums in ((True, self.drafts), (False, self.plain)):
            usage, began = Usage(), time.perf_counter()
            options = Sampling(
                MAX_TOKENS, stop_ids=frozenset(prompt.stop_ids), logprobs=True, speculate=speculate
            )
            tokens = list(self._until_line_end(prompt.ids, options, usage))
            sums.add(tokens, usage, time.perf_counter() - began)
            results.append(tokens)
        self.requests += 1
        self.differ += results[0] != results[1]
        return self._text(results[1])

    def _until_line_end(
        self, ids: Sequence[int], sampling: Sampling, usage: Usage
    ) -> Iterator[Token]:
        tokens: list[Token] = []
        for token in self._generator.generate(ids, sampling, usage):
            tokens.append(token)
            yield token
            if "\n" in self._text(tokens).lstrip():
                return

    def _text(self, tokens: Sequence[Token]) -> str:
        return self._builder.tokenizer.decode([token.id for token in tokens])

    def _prompt(self, row: Row, typed: str) -> Prompt:
        return self._builder.build(
            path=row.path,
            prefix=(row.prefix + typed).rstrip(" \t"),
            suffix=row.suffix,
            cross_file=self._setup.shown(row),
            repository=row.repository,
            max_new_tokens=MAX_TOKENS,
        )


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("rows_file", metavar="ROWS", type=Path, help="JSON lines, plain or .xz")
    parser.add_argument("--limit", type=int, help="only so many rows, drawn with --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="another model than the default one")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cross-file", default="none", help="as of `coder-lsp eval`")
    parser.add_argument("--typed", action="store_true", help="type the groundtruth's line")
    parser.add_argument("--rows", action="store_true", help="time passes over more tokens, and end")
    args = parser.parse_args()
    name = args.model or chosen_model(Settings())
    builder = load_builder(name)
    generator = load_generator(
        ModelStore().pull(name, lambda _: None).directory,
        device=args.device,
        threads=args.threads,
        kv_slots=KV_SLOTS,
    )
    print_setting()
    rows = distinct(list(read(args.rows_file)), args.limit, args.seed)
    comparison = Comparison(generator, builder, Setup(Settings(), args.cross_file))
    if args.rows:
        time_rows(generator, comparison, rows[0])
        return
    for row in tqdm(rows, disable=not sys.stderr.isatty()):
        if args.typed:
            type_line(comparison, row)
        else:
            comparison.line(row)
    report(comparison, len(rows))


def distinct(rows: list[Row], limit: int | None, seed: int) -> list[Row]:
    """Rows in random order, of each document one, and of those that differ in blanks alone."""
    random.Random(seed).shuffle(rows)
    documents = {
        "".join((row.prefix + row.groundtruth + row.suffix).split()): row for row in reversed(rows)
    }
    return list(reversed(documents.values()))[:limit]


def type_line(comparison: Comparison, row: Row) -> None:
    """Type the groundtruth's first line as one does who takes what is foreseen."""
    truth = row.groundtruth
    lead = len(truth) - len(truth.lstrip())
    end = lead + len(first_line(truth))
    typed = lead
    for _ in range(MAX_REQUESTS):
        if typed >= end:
            return
        shown = comparison.line(row, truth[:typed]).lstrip(" \t")
        rest = truth[typed:end].lstrip(" \t")
        skipped = end - typed - len(rest)
        agreed = next(
            (i for i, (a, b) in enumerate(zip(shown, rest, strict=False)) if a != b),
            min(len(shown), len(rest)),
        )
        typed += skipped + agreed + 1


def time_rows(generator: Generator, comparison: Comparison, row: Row) -> None:
    """Print the least time of a pass over 1 .. 16 tokens after a prompt, best of some."""
    model = generator.model
    ids = list(comparison._prompt(row, "").ids)
    cache = model.new_cache()
    best: dict[int, float] = {}
    with torch.inference_mode():
        for begin in range(0, len(ids), 512):
            model.forward(ids[begin : begin + 512], cache, begin, lambda: False)
        for _ in range(8):
            for count in (*range(1, model.exact_rows + 1), 12, 16):
                began = time.perf_counter()
                model.forward(ids[:count], cache, len(ids), lambda: False, count)
                best[count] = min(best.get(count, 9e9), time.perf_counter() - began)
    print(f"a pass after {len(ids)} tokens, ms (times that over one):")
    for count, seconds in best.items():
        print(f"  {count:3} {1000 * seconds:8.1f} {seconds / best[1]:6.2f}")


def report(comparison: Comparison, rows: int) -> None:
    """Print what was the same, and what drafts saved."""
    drafts, plain = comparison.drafts, comparison.plain
    print(f"rows: {rows}, requests: {comparison.requests}, not the same: {comparison.differ}")
    print(f"tokens read at a request: median {statistics.median(comparison.reread):.0f}")
    print(f"tokens: {plain.tokens}, a line: {plain.tokens / comparison.requests:.1f}")
    print(f"passes without drafts: {plain.passes}, with: {drafts.passes}")
    print(f"times fewer passes: {plain.passes / drafts.passes:.2f}")
    print(f"times faster:       {plain.seconds / drafts.seconds:.2f}")


if __name__ == "__main__":
    main()
