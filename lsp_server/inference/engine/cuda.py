"""What a GPU needs that a CPU does not: steps recorded as graphs, and a short queue.

A decode step is hundreds of small kernels, and starting each takes longer than running it; a graph
starts them all at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lsp_server.inference.engine.llama import Llama, LlamaCache

STEP_ROWS = 8
"""Rows of every recorded step. One shape for one token and for a draft of seven: reading the
weights takes the same time, and results are the same however many rows are wanted."""
BUCKET = 512
"""Attention reads the cache up to a multiple of this: one graph for each such length."""
LAYERS_AHEAD = 2
"""Layers that may wait in a GPU's queue, where they can no longer be withdrawn."""

Replay = Callable[[], Tensor]


class StepGraphs:
    """Decode steps of a model: at most `STEP_ROWS` tokens, recorded on first use, then replayed.

    A recording is bound to the tensors it saw. So it reads ids and positions from tensors that are
    filled before each replay, and is kept with the cache it reads. `record` makes a replay of a
    computation; the replay's result is overwritten by the next one.
    """

    def __init__(self, model: Llama, record: Callable[[Replay], Replay]) -> None:
        self._model = model
        self._record = record
        self._ids = torch.zeros(STEP_ROWS, dtype=torch.int64, device=model.device)
        self._positions = torch.zeros_like(self._ids)

    def step(self, ids: list[int], cache: LlamaCache, start: int) -> Tensor:
        """Logits `[STEP_ROWS, vocabulary]` of ids at positions `start ..` and of padding after
        them, whose keys and values will be overwritten before any row sees them."""
        end = start + STEP_ROWS
        cache.reserve(end)
        self._ids.copy_(torch.tensor(ids + [0] * (STEP_ROWS - len(ids))))
        self._positions.copy_(torch.arange(start, end))
        length = -(-end // BUCKET) * BUCKET
        if length not in cache.graphs:
            cache.graphs[length] = self._record(lambda: self._compute(cache, length))
        return cache.graphs[length]()

    def _compute(self, cache: LlamaCache, length: int) -> Tensor:
        place = self._model.place_of(self._positions, length)
        return self._model.run(self._ids, cache, place, lambda: False, STEP_ROWS)


def record_cuda_graph(compute: Replay) -> Replay:
    """A CUDA graph of a computation whose tensors all stay where they are."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        compute()  # what libraries set up on first use cannot be recorded
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = compute()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


class Pace:
    """Lets the host run only a little ahead of the GPU, so that stopping is felt within layers."""

    def __init__(self, device: torch.device) -> None:
        # a graph that is being recorded must not wait
        self._paced = device.type == "cuda" and not torch.cuda.is_current_stream_capturing()
        self._queued: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """A layer was queued."""
        if not self._paced:
            return
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record()
        self._queued.append(event)
        if len(self._queued) > LAYERS_AHEAD:
            self._queued.popleft().synchronize()
