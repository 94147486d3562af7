"""What changes on disk, for clients that do not tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from lsp_server.context.files import Walk

DEBOUNCE_MS = 400
"""Longest that a change waits for others; 50 ms without another end the wait."""
RESCAN_SECONDS = 30.0


def watch(
    walk: Walk,
    stop: threading.Event,
    on_fallback: Callable[[str], None],
    rescan_seconds: float = RESCAN_SECONDS,
) -> Iterator[set[Path]]:
    """Yields the absolute paths of what changed, came or went and concerns the walk, until `stop`.

    Ask `walk.within(path)` what is there now; a path may be a folder's, such as one moved into the
    workspace. A path called .gitignore says that anything may have come or gone. Where the system
    cannot watch (too many folders, a file system that does not tell), `on_fallback` is told why in
    one sentence, and the workspace is walked every so many seconds instead.
    """
    import watchfiles  # here, since only a process that watches needs it

    try:
        changes = watchfiles.watch(
            *(root for root in walk.roots if root.is_dir()),
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            stop_event=stop,
            raise_interrupt=False,
            force_polling=False,  # its polling reads every folder several times a second
            ignore_permission_denied=True,
        )
        for batch in changes:
            concerning = {path for _, name in batch if walk.concerns(path := Path(name))}
            if concerning:
                yield concerning
    except (OSError, RuntimeError) as error:
        on_fallback(
            f"Files cannot be watched ({error}); they are looked at every {rescan_seconds:.0f} s."
        )
        yield from _rescan(walk, stop, rescan_seconds)


def _rescan(walk: Walk, stop: threading.Event, seconds: float) -> Iterator[set[Path]]:
    before = set(walk)
    while not stop.wait(seconds):
        now = set(walk)
        changed = {file.absolute for file in before ^ now}
        before = now
        if changed:
            yield changed
