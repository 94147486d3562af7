"""The log file of the language server. It never holds the text of a document."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import platformdirs

FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
LARGE = 2 * 2**20


def log_file() -> Path:
    """Where the language server's log is."""
    return Path(platformdirs.user_log_dir("coder-lsp", appauthor=False)) / "server.log"


def set_up() -> None:
    """Log to the file, one for all servers; where it cannot be written, only to stderr.

    pygls writes messages, and with them the text of documents, at every level.
    """
    try:
        log_file().parent.mkdir(parents=True, exist_ok=True)
        _set_aside_when_large(log_file())
        handler: logging.Handler = logging.FileHandler(log_file(), encoding="utf-8")
    except OSError:
        handler = logging.StreamHandler()
        handler.setLevel(logging.WARNING)
    logging.basicConfig(format=FORMAT, handlers=[handler], level=logging.INFO)
    logging.getLogger("pygls").setLevel(logging.CRITICAL)


def _set_aside_when_large(log: Path) -> None:
    """At the start only: what several processes write to cannot be renamed later on Windows, nor
    anywhere without losing some of it."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LARGE:
            log.replace(log.with_suffix(".old.log"))


def set_level(level: str) -> None:
    """How much is logged, by the setting's name: debug, info, warning, error."""
    logging.getLogger("lsp_server").setLevel(level.upper())
