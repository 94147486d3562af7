"""`coder-lsp why`: what became of the latest requests, asked of the language servers that run."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

from lsp_server import endpoints
from lsp_server.endpoints import Endpoint
from lsp_server.lsp.inspection import FILES, NOTHING_YET, ask

NOBODY = "no language server runs: open a file in an editor that uses coder-lsp"
NO_ANSWER = "the language server does not answer"


def run(args: argparse.Namespace) -> int:
    """Ask and print. Returns 0 with an answer, 1 when no language server gave one."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    question = "receipt" if args.receipt or args.json else "why"
    running = endpoints.running(FILES)
    answers = await asyncio.gather(*(_ask(*each, question, args.n) for each in running))
    answered = [each for each in answers if each]
    if answered:
        _print(max(answered, key=itemgetter("at"))["answer"], args.json)
        return 0
    silent = any(file.exists() for file, _ in running)
    print(f"coder-lsp why: {NO_ANSWER if silent else NOBODY}", file=sys.stderr)
    return 1


async def _ask(file: Path, endpoint: Endpoint, question: str, count: int) -> dict[str, Any] | None:
    try:
        return await ask(endpoint, question, count)
    except ConnectionRefusedError:
        endpoints.withdraw(file, endpoint.pid)  # it was killed, and another has its process id
        return None


def _print(answer: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    elif isinstance(answer, str):
        print(answer)
    else:
        print("\n\n".join(each["text"] for each in answer) or NOTHING_YET)
