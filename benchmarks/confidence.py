"""How sure the model is of a line, and how often it is right: the ground for
`completion.min_confidence`.

Each row's line is generated through the model server as the language server asks for it, with the
probability of each token. Right is what equals the first line of the groundtruth, blank space at
the ends left out. Rows are as `coder-lsp eval` takes them.

    python -m benchmarks.confidence heinfill-single-line.dev.jsonl.xz --limit 300

Printed are: how well several figures tell right from wrong (area under the ROC curve); for tenths
of the geometric mean of a line's token probabilities, how often such lines are right; and for
bounds on it, applied from the third token on as the language server does, what they withhold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from benchmarks.common import print_setting
from benchmarks.own_engine import own_engine
from lsp_server.completion.builder import load_builder
from lsp_server.evaluation.rows import Row, read
from lsp_server.evaluation.suites import first_line
from lsp_server.inference.client import CompletionsClient
from lsp_server.inference.engines import chosen_model
from lsp_server.prompt.boundary import split_before_piece
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.settings import Settings

MAX_TOKENS = 64
LEAST_TOKENS = 3
"""From this token on a bound is applied, and at the end of the line."""
BINS = 10
BOUNDS = tuple(tenth / 20 for tenth in range(2, 19))


@dataclass(frozen=True, slots=True)
class Line:
    """A generated line: the natural logarithms of its tokens' probabilities, and whether it is
    right."""

    logprobs: tuple[float, ...]
    right: bool

    @property
    def geometric_mean(self) -> float:
        """The geometric mean of the probabilities, all tokens taken together."""
        return math.exp(sum(self.logprobs) / len(self.logprobs))

    @property
    def mean(self) -> float:
        """The arithmetic mean of the probabilities."""
        return sum(map(math.exp, self.logprobs)) / len(self.logprobs)

    @property
    def minimum(self) -> float:
        """The probability of the least likely token."""
        return math.exp(min(self.logprobs))

    @property
    def lowest_mean(self) -> float:
        """The least geometric mean on the way, from the third token on: the line is shown when the
        bound is not above it."""
        counts = [*range(LEAST_TOKENS, len(self.logprobs)), len(self.logprobs)]
        return min(math.exp(sum(self.logprobs[:count]) / count) for count in counts)


FIGURES: dict[str, Callable[[Line], float]] = {
    "geometric mean": lambda line: line.geometric_mean,
    "lowest on the way": lambda line: line.lowest_mean,
    "arithmetic mean": lambda line: line.mean,
    "minimum": lambda line: line.minimum,
}


def main() -> None:
    """Parse the command line, generate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, nargs="+", help="JSON lines, plain or .xz")
    parser.add_argument("--limit", type=int, help="only so many rows of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="another model than the default one")
    parser.add_argument("--save", type=Path, help="write the lines' figures, as JSON lines")
    args = parser.parse_args()
    asyncio.run(run(args))


async def run(args: argparse.Namespace) -> None:
    """Generate the lines of every file and print their tables."""
    model = args.model or chosen_model(Settings())
    builder = load_builder(model)
    async with own_engine(model) as client:
        print_setting()
        for file in args.rows:
            rows = list(read(file))
            if args.limit and args.limit < len(rows):
                rows = random.Random(args.seed).sample(rows, args.limit)
            shown = tqdm(rows, disable=not sys.stderr.isatty())
            lines = [await generate(client, builder, row) for row in shown]
            report(file.name, [line for line in lines if line.logprobs])
            save(args.save, file.name, lines)


async def generate(client: CompletionsClient, builder: PromptBuilder, row: Row) -> Line:
    """The line that the model writes at a row's cursor; it has no tokens when that is nothing."""
    known, withheld = split_before_piece(row.prefix, builder.tokenizer)
    prompt = builder.build(
        path=row.path, prefix=known, suffix=row.suffix, max_new_tokens=MAX_TOKENS
    )
    text, logprobs = "", list[float]()
    stream = client.stream(
        prompt.ids,
        max_tokens=MAX_TOKENS,
        stop_token_ids=prompt.stop_ids,
        logprobs=True,
        begins_with=withheld,
    )
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            text += chunk.text
            logprobs += [each for each in chunk.token_logprobs if each is not None]
            if "\n" in text[len(withheld) :].lstrip():
                break
    rest = row.suffix.split("\n", 1)[0].strip()
    written = first_line(text[len(withheld) :]).removesuffix(rest).strip()
    return Line(tuple(logprobs), written == first_line(row.groundtruth))


def report(name: str, lines: Sequence[Line]) -> None:
    """Print the tables of a file's lines."""
    right = sum(line.right for line in lines)
    print(f"\n{name}: {len(lines)} lines, {100 * right / len(lines):.1f} % right")
    areas = (f"{key} {roc_area(lines, figure):.3f}" for key, figure in FIGURES.items())
    print(f"ROC area: {', '.join(areas)}")
    print("\n| geometric mean | lines | mean of it | right |\n| --- | --- | --- | --- |")
    for low, bin_ in bins(lines):
        mean = sum(line.geometric_mean for line in bin_) / len(bin_)
        share = 100 * sum(line.right for line in bin_) / len(bin_)
        print(f"| {low:.1f} to {low + 1 / BINS:.1f} | {len(bin_)} | {mean:.2f} | {share:.0f} % |")
    print("\n| bound | withheld | wrong among them | right ones lost | right among the shown |")
    print("| --- | --- | --- | --- | --- |")
    for bound in BOUNDS:
        print(f"| {bound:.2f} | {' | '.join(trade_off(lines, bound))} |")


def roc_area(lines: Sequence[Line], figure: Callable[[Line], float]) -> float:
    """How often a right line has the greater figure than a wrong one, ties as halves."""
    rights = [figure(line) for line in lines if line.right]
    wrongs = [figure(line) for line in lines if not line.right]
    wins = sum((a > b) + (a == b) / 2 for a in rights for b in wrongs)
    return wins / (len(rights) * len(wrongs)) if rights and wrongs else math.nan


def bins(lines: Sequence[Line]) -> list[tuple[float, list[Line]]]:
    """The lines by tenths of the geometric mean, those that hold any, with their lower ends."""
    found: list[tuple[float, list[Line]]] = []
    for index in range(BINS):
        last = index == BINS - 1
        low, high = index / BINS, math.inf if last else (index + 1) / BINS
        if inside := [line for line in lines if low <= line.geometric_mean < high]:
            found.append((low, inside))
    return found


def trade_off(lines: Sequence[Line], bound: float) -> list[str]:
    """What a bound does, in percent: withheld of all, wrong of the withheld, right ones withheld of
    all right ones, right of those shown."""
    withheld = [line for line in lines if line.lowest_mean < bound]
    shown = [line for line in lines if line.lowest_mean >= bound]
    lost = [line for line in withheld if line.right]
    return [
        percent(len(withheld), len(lines)),
        percent(len(withheld) - len(lost), len(withheld)),
        percent(len(lost), sum(line.right for line in lines)),
        percent(sum(line.right for line in shown), len(shown)),
    ]


def percent(part: int, whole: int) -> str:
    """`part` of `whole`, in words."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def save(file: Path | None, name: str, lines: Sequence[Line]) -> None:
    """Append what was found to a file of JSON lines."""
    if file is None:
        return
    with file.open("a", encoding="utf-8") as out:
        for line in lines:
            entry = {"rows": name, "right": line.right, "logprobs": line.logprobs}
            out.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
