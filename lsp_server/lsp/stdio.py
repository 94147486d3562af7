"""The server on stdin and stdout, in place of pygls' own loop.

Ours reads header names in any case, ends as soon as stdin closes or the editor is gone, whatever
threads are busy, and runs each handler up to its first await before the next message is looked at:
a request is answered from the documents as they were when it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, Protocol

from lsp_server.endpoints import is_alive
from lsp_server.lsp.protocol import Protocol as LspProtocol

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""How long cleaning up may take before the process is ended anyway."""
EDITOR_POLL_SECONDS = 2.0


class Server(Protocol):
    """What this module needs of the language server."""

    process_id: int | None
    protocol: Any

    async def close(self) -> None: ...


def serve(server: Server, stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Serve one client until it says `exit` or goes away; the process's exit code."""
    ending, ended = threading.Event(), threading.Event()
    watchdog = (server.protocol, ending, ended)
    threading.Thread(target=_enforce_end, args=watchdog, daemon=True).start()
    try:
        return asyncio.run(_serve(server, stdin, stdout, ending))
    except KeyboardInterrupt:
        return 130
    finally:
        ended.set()
        ending.set()


def _enforce_end(protocol: LspProtocol, ending: threading.Event, ended: threading.Event) -> None:
    ending.wait()
    if not ended.wait(GRACE_SECONDS):
        os._exit(_exit_code(protocol))


def _exit_code(protocol: LspProtocol) -> int:
    """What the client's `exit` earned, else 1: the client is gone."""
    return 1 if protocol.exit_code is None else protocol.exit_code


async def _serve(server: Server, stdin: BinaryIO, stdout: BinaryIO, ending: threading.Event) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_exception)
    messages: asyncio.Queue[bytes | None] = asyncio.Queue()
    protocol: LspProtocol = server.protocol
    protocol.set_writer(_Writer(stdout, lambda: messages.put_nowait(None)))

    def deliver(body: bytes | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(messages.put_nowait, body)

    threading.Thread(target=_read_all, args=(stdin, deliver, ending), daemon=True).start()
    watch: asyncio.Task[None] | None = None
    while protocol.exit_code is None and (body := await messages.get()) is not None:
        protocol.handle_body(body)
        if watch is None and server.process_id is not None:
            watch = asyncio.create_task(_watch(server.process_id, messages))
        await asyncio.sleep(0)  # the handlers started above run up to their first await
    ending.set()
    await server.close()
    return _exit_code(protocol)


def _read_all(
    stdin: BinaryIO, deliver: Callable[[bytes | None], None], ending: threading.Event
) -> None:
    try:
        while (body := read_message(stdin)) is not None:
            deliver(body)
    except Exception:  # whatever it is, nothing more can come
        logger.exception("stdin cannot be read")
    deliver(None)
    ending.set()


def read_message(stream: IO[bytes]) -> bytes | None:
    """The body of the next message; None at the end of the stream."""
    length: int | None = None
    while line := stream.readline():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
        elif not line.strip() and length is not None:
            body = stream.read(length)
            return body if len(body) == length else None
    return None


class _Writer:
    """pygls' writer; calls `gone` when nobody reads any more."""

    def __init__(self, stdout: BinaryIO, gone: Callable[[], None]) -> None:
        self._stdout = stdout
        self._gone = gone

    def write(self, data: bytes) -> None:
        try:
            self._stdout.write(data)
            self._stdout.flush()
        except (OSError, ValueError):
            self._gone()

    def close(self) -> None:
        self._stdout.close()


async def _watch(editor: int, messages: asyncio.Queue[bytes | None]) -> None:
    """End the server with the editor, where something else keeps its pipe open.

    A process id that is not there to begin with is from another machine or container.
    """
    if is_alive(editor):
        while is_alive(editor):  # noqa: ASYNC110 - a process that ends gives no event
            await asyncio.sleep(EDITOR_POLL_SECONDS)
        messages.put_nowait(None)


@contextlib.contextmanager
def own_streams() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """stdin and stdout for the protocol alone.

    From here on whatever is printed, by C libraries too, goes to stderr, and no child process can
    read from the editor's pipes or keep them open.
    """
    sys.stdout.flush()
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    reader, writer = os.fdopen(stdin, "rb"), os.fdopen(stdout, "wb")
    try:
        yield reader, writer  # the reader is not closed: that would wait for the thread reading it
    finally:
        with contextlib.suppress(OSError):  # something was left to write, and nobody reads
            writer.close()


def _log_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Without the arguments of callbacks, which hold text."""
    logger.error("unexpected error in the event loop", exc_info=context.get("exception"))
