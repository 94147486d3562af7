"""Ten thousand requests as fast as they can be typed: memory, and how long the event loop is held.

Edits and requests for one file go through the completion service and the real client to an engine
that writes a token every few milliseconds (a process of its own, so that only the service is
measured). Half of what is typed agrees with what the engine writes. Many requests are withdrawn,
some come in pairs, and now and then the cursor jumps
to the end of another line. Beside them a task sleeps for a millisecond
again and again: what it oversleeps is how long something else held the event loop.

    python -m benchmarks.storm --requests 10000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
from aiohttp import web

from benchmarks.common import print_setting, spread
from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import SUPERSEDED, CompletionRequest, EditorWorkspace, Suggestion
from lsp_server.endpoints import STATE_VARIABLE
from lsp_server.settings import EngineSettings, Settings, load

WRITTEN = "total = compute(value, index)\n    return total\n"
"""What the engine writes, over and over, a word at a time."""
TOKEN_SECONDS = 0.003
KEYS = "abcdefgh(). "
SAMPLES = 10


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=1000, help="length of the file typed in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine:
        asyncio.run(serve_engine())
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = folder
        asyncio.run(run(args))


async def run(args: argparse.Namespace) -> None:
    """Let the storm loose and print what it did."""
    print_setting()
    async with engine() as url:
        settings, _ = load()
        model = settings.model or "qwen2.5-coder-0.5b"
        settings = attrs.evolve(settings, model=model, engine=EngineSettings(url=url))
        service = CompletionService(settings, lambda _: None, EditorWorkspace())
        await service.start()
        while service.state.status != "ready":
            await asyncio.sleep(0.05)
        lags: list[float] = []
        meter = asyncio.create_task(measure_lag(lags))
        memory = await storm(service, args, settings)
        meter.cancel()
        report(service, memory, lags)
        await service.close()


async def storm(
    service: CompletionService, args: argparse.Namespace, settings: Settings
) -> list[int]:
    """Type and ask; bytes of memory in use after each tenth of the requests."""
    draw = random.Random(args.seed)
    text = "".join(
        f"def f{n}(value, index):\n    return value + {n}\n\n\n" for n in range(args.lines // 4)
    )
    offset = len(text)
    memory: list[int] = []
    pending: set[asyncio.Task[Suggestion]] = set()
    shown = ""
    for number in range(args.requests):
        if draw.random() < 0.02:
            offset = text.find("\n", draw.randrange(len(text) - 1))
        key = shown[:1] if shown and draw.random() < 0.5 else draw.choice(KEYS)
        text, offset = text[:offset] + key + text[offset:], offset + len(key)
        document = CompletionRequest("a.py", "python", text, offset, document="file:///a.py")
        service.edited(document)
        for task in pending:
            task.cancel(SUPERSEDED)
        pending = {
            asyncio.ensure_future(service.complete(document))
            for _ in range(1 + (draw.random() < 0.1))
        }
        done, pending = await asyncio.wait(pending, timeout=draw.choice((0, 0.001, 0.02)))
        shown = next((task.result().text for task in done), "")
        if (number + 1) % max(1, args.requests // SAMPLES) == 0:
            memory.append(resident_bytes())
    await asyncio.gather(*pending)
    return memory


async def measure_lag(lags: list[float]) -> None:
    """Milliseconds that each sleep of a millisecond took too long."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(1000 * (time.perf_counter() - began) - 1)


def report(service: CompletionService, memory: list[int], lags: list[float]) -> None:
    """Print memory, lag, and how the latest requests ended."""
    print(f"memory:   {', '.join(f'{each / 1e6:.0f}' for each in memory)} MB after each tenth")
    print(f"loop lag: {spread(lags, 95, 99)}")
    outcomes = Counter(receipt.outcome.name.lower() for receipt in service.receipts)
    print(f"the last {len(service.receipts)}: {dict(outcomes)}")


def resident_bytes() -> int:
    """This process's memory; 0 where /proc does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[str]:
    """The URL of an engine in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.storm", "--engine", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def serve_engine() -> None:
    """Stream the same words to everybody; the first line on stdout is the URL."""
    app = web.Application()
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/health", _models)
    app.router.add_post("/v1/completions", _completions)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def _models(_: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "storm"}]})


async def _completions(request: web.Request) -> web.StreamResponse:
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for word in WRITTEN.split(" "):
        await asyncio.sleep(TOKEN_SECONDS)
        await _send(response, {"text": word + " ", "finish_reason": None})
    await _send(response, {"text": "", "finish_reason": "stop"})
    with contextlib.suppress(ConnectionError):  # it hung up in time
        await response.write(b"data: [DONE]\n\n")
    return response


async def _send(response: web.StreamResponse, choice: dict[str, object]) -> None:
    with contextlib.suppress(ConnectionError):  # it hung up: this handler is about to be cancelled
        await response.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())


if __name__ == "__main__":
    main()
