"""llama-server as llama.vim's documentation has it started, with the default model's GGUF file.

`--fim-qwen-1.5b-default` stands for a batch of 1024 and the reuse of cached chunks from 256 tokens
on; the weights here are the default model's. Threads as many as this project's model server takes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.inference.llama_server import folder, gguf, installed_package

WINDOW = 8192

_SERVE = """
import os, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx = sys.argv[1], int(sys.argv[2])
params.n_batch = params.n_ubatch = 1024
params.n_cache_reuse = 256
params.cpuparams.n_threads = max(1, (os.cpu_count() or 1) - 1)
params.port = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def llama_server() -> AsyncIterator[str]:
    """The base URL of a fresh one. Raises NotAvailable where it cannot be had."""
    folder().mkdir(parents=True, exist_ok=True)
    package, weights = await asyncio.to_thread(lambda: (installed_package(), gguf()))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SERVE, str(weights), str(WINDOW)),
        env={**os.environ, "PYTHONPATH": str(package)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        if not url:
            raise SystemExit("llama-server did not start")
        yield url
    finally:
        process.stdin.close()
        await process.wait()
