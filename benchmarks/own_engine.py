"""A model server of a benchmark's own, which disturbs no other and is disturbed by none."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lsp_server.inference import state
from lsp_server.inference.client import CompletionsClient
from lsp_server.inference.supervisor import LocalEngine, stop_all


@asynccontextmanager
async def own_engine(model: str) -> AsyncIterator[CompletionsClient]:
    """The client of a fresh server that holds the model; it ends with the block. Raises SystemExit
    when the model cannot be loaded."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[state.STATE_VARIABLE] = folder
        engine = LocalEngine(
            state.ServerSpec(model), idle_minutes=5, user="benchmark", on_state=lambda _: None
        )
        engine.start()
        try:
            while engine.client is None:
                if engine.state.status == "failed":
                    raise SystemExit(engine.state.message)
                await asyncio.sleep(0.1)
            yield engine.client
        finally:
            await engine.close()
            await stop_all()
