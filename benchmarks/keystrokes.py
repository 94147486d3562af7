"""How many tokens of its prompt a model has to read anew at each key, by family and order.

    python -m benchmarks.keystrokes

Lines of a module of Python's own library are typed key by key into the middle of it, by an editor
that closes brackets by itself; after each key the prompt is made as for a request, with the token
at the cursor healed or not, and looked up in the engine's own KV slots. No model runs: only the
tokenizers are needed, which are fetched once, by hash.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json.decoder
import json.scanner
import statistics
from collections.abc import Iterator
from typing import Any

import attrs

from benchmarks.common import print_setting
from lsp_server.completion.prompting import Prompter
from lsp_server.completion.types import CompletionRequest, Work
from lsp_server.context.cross_file import CrossFile
from lsp_server.context.files import Rules
from lsp_server.inference.engine.kv_cache import Slots
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES
from lsp_server.prompt.tokenizer import Tokenizer
from lsp_server.prompt.types import Order, Snippet
from lsp_server.settings import PromptSettings, Settings
from tests.tokenizers import tokenizer_json

TOKENIZERS = {"qwen2.5-coder": "qwen-2.5", "deepseek-coder": "deepseek-coder-33b-base"}
WINDOW = 16384
MODULE = inspect.getsource(json.decoder)
OTHER = Snippet("json/scanner.py", inspect.getsource(json.scanner)[:1500])
CLOSES = {"(": ")", "[": "]", "{": "}"}
SLOTS = Settings().engine.kv_slots


class _NoCache:
    """Ids alone are looked at here."""

    size = 0

    def reserve(self, length: int) -> None:
        pass

    def truncate(self, length: int) -> None:
        pass

    def copy(self, other: Any, length: int) -> None:
        pass


def main() -> None:
    """Parse the command line, type, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--lines", type=int, default=30, help="how many are typed")
    args = parser.parse_args()
    print_setting()
    print("\n| family | order | healed | mean | median | p95 | most |\n|" + " --- |" * 7)
    for family, name in TOKENIZERS.items():
        builder = PromptBuilder(Tokenizer(tokenizer_json(name)), TEMPLATES[family], WINDOW)
        for order in builder.template.orders:
            for healed in (False, True):
                read = sorted(asyncio.run(tokens_read(builder, order, healed, args.lines)))
                cells = [family, order, "yes" if healed else "no", f"{statistics.mean(read):.1f}"]
                cells += [f"{statistics.median(read):.0f}", str(read[len(read) * 95 // 100])]
                print(f"| {' | '.join(cells)} | {read[-1]} |")


async def tokens_read(builder: PromptBuilder, order: Order, healed: bool, lines: int) -> list[int]:
    """Tokens of each key's prompt that no slot holds, the last one, which always is read, included;
    without those of the first prompt."""
    settings = attrs.evolve(Settings(), prompt=PromptSettings(order=order))
    context = CrossFile((), Rules(), lambda progress: None, watches=False)  # has no folders
    prompter = Prompter(settings, context, builder, for_ours=healed)
    slots = Slots(SLOTS, 1, _NoCache)
    read = []
    for before, after in typing(MODULE, lines):
        request = CompletionRequest(
            "json/decoder.py", "python", before + after, len(before), cross_file=(OTHER,)
        )
        ids = (await prompter.ask(request, request.anchor(), Work())).prompt.ids
        slot = slots.acquire(ids)
        read.append(len(ids) - len(slot.ids))
        slot.ids[:] = ids
    return read[1:]


def typing(text: str, lines: int) -> Iterator[tuple[str, str]]:
    """The text before and after the cursor, at each key of so many lines in the text's middle."""
    rows = text.splitlines(keepends=True)
    start = (len(rows) - lines) // 2
    head, typed = "".join(rows[:start]), "".join(rows[start : start + lines])
    tail = "\n" + "".join(rows[start + lines :])
    closed: list[str] = []
    for at, key in enumerate(typed):
        yield head + typed[:at], "".join(reversed(closed)) + tail
        if closed and key == closed[-1]:
            closed.pop()
        elif key in CLOSES:
            closed.append(CLOSES[key])
        elif key == "\n":
            closed.clear()  # what spans lines is closed there


if __name__ == "__main__":
    main()
