"""Time from hanging up to an idle engine, in decode and in prefill.

Starts a model server of its own, streams a completion, closes the connection, and asks the server
when its engine came to rest. Both read the same monotonic clock, which Linux, macOS and Windows
share between processes.

    python -m benchmarks.cancellation --repeat 50
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from benchmarks.common import print_setting, spread
from benchmarks.own_engine import own_engine
from lsp_server.inference.client import CompletionsClient
from lsp_server.inference.engines import chosen_model
from lsp_server.settings import Settings

PREFILL_TOKENS = 4000
"""So many that the prompt is still being read when the connection is closed."""


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--model", help="another model than the default one")
    parser.add_argument("--repeat", type=int, default=50, help="cancellations of each kind")
    args = parser.parse_args()
    model = args.model or chosen_model(Settings())
    asyncio.run(run(model, args.repeat))


async def run(model: str, repeat: int) -> None:
    """Measure both kinds of cancellation and print their spread."""
    async with own_engine(model) as client:
        print_setting()
        print(f"model:   {model}")
        for name, hang_up in (("decode", in_decode), ("prefill", in_prefill)):
            times = [await time_one(client, hang_up, seed) for seed in range(repeat)]
            print(f"{name}: {spread(times, 99)}")


async def time_one(
    client: CompletionsClient,
    hang_up: Callable[[CompletionsClient, list[int]], Awaitable[float]],
    seed: int,
) -> float:
    """Milliseconds from closing the connection to the engine's rest."""
    prompt = random.Random(seed).choices(range(1000, 30000), k=PREFILL_TOKENS)
    closed = await hang_up(client, prompt)
    while (health := await client.health())["busy"]:
        await asyncio.sleep(0.001)
    return 1000 * max(0.0, float(health["idle_since"]) - closed)


async def in_decode(client: CompletionsClient, prompt: list[int]) -> float:
    """Close the connection after a few tokens of a long completion; when it was closed."""
    stream = client.stream(prompt[:50], max_tokens=4000)
    for _ in range(5):
        await anext(stream)
    closed = time.monotonic()
    await stream.aclose()
    return closed


async def in_prefill(client: CompletionsClient, prompt: list[int]) -> float:
    """Close the connection while the prompt is read; when it was closed."""
    task = asyncio.ensure_future(anext(client.stream(prompt, max_tokens=1)))
    while not (await client.health())["busy"]:
        await asyncio.sleep(0.001)
    await asyncio.sleep(random.uniform(0.05, 0.5))
    closed = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return closed


if __name__ == "__main__":
    main()
