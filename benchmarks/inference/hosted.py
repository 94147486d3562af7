"""An engine in a process of its own, so that its memory and its load time are its own."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.inference.engines import Answer, Engine, Figures


class EngineFailed(Exception):
    """What an engine's process ran into; the message is its traceback."""


class Hosted:
    """An engine as `Engine` has it. `load_seconds` is from the process's first line of ours, with
    imports, until it can answer. Raises EngineFailed. Close it."""

    def __init__(self, name: str, make: Callable[[], Engine]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make), daemon=True)
        self._process.start()
        theirs.close()
        self.load_seconds: float = self._receive()

    def answer(self, ids: Sequence[int], tokens: int, one_by_one: bool = False) -> Answer:
        """See `Engine`."""
        answer: Answer = self._call("answer", ids, tokens, one_by_one)
        return answer

    def cancel(self, ids: Sequence[int], tokens: int, after: float) -> float | None:
        """See `Engine`."""
        milliseconds: float | None = self._call("cancel", ids, tokens, after)
        return milliseconds

    def figures(self) -> Figures:
        """See `Engine`."""
        figures: Figures = self._call("figures")
        return figures

    def close(self) -> None:
        """End its process."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()

    def _call(self, method: str, *arguments: Any) -> Any:
        self._pipe.send((method, arguments))
        return self._receive()

    def _receive(self) -> Any:
        try:
            result, error = self._pipe.recv()
        except EOFError as gone:
            raise EngineFailed(f"{self.name}: its process ended") from gone
        if error:
            raise EngineFailed(f"{self.name}: {error}")
        return result


def _serve(pipe: Connection, make: Callable[[], Engine]) -> None:
    began = time.perf_counter()
    try:
        engine = make()
        pipe.send((time.perf_counter() - began, None))
        while True:
            method, arguments = pipe.recv()
            pipe.send((getattr(engine, method)(*arguments), None))
    except EOFError:
        return
    except Exception:
        pipe.send((None, traceback.format_exc()))
