"""The log file of the language server. It never holds the text of a document."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_MEGABYTE = 2**20


def log_file() -> Path:
    """Where the language server's log is."""
    return Path(platformdirs.user_log_dir("coder-lsp", appauthor=False)) / "server.log"


def set_up() -> None:
    """Log to the file, a few megabytes at most; where it cannot be written, only to stderr.

    pygls writes messages, and with them the text of documents, at every level.
    """
    try:
        log_file().parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            log_file(), maxBytes=2 * _MEGABYTE, backupCount=2, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.StreamHandler()
        handler.setLevel(logging.WARNING)
    logging.basicConfig(format=FORMAT, handlers=[handler], level=logging.INFO)
    logging.getLogger("pygls").setLevel(logging.CRITICAL)


def set_level(level: str) -> None:
    """How much is logged, by the setting's name: debug, info, warning, error."""
    logging.getLogger("lsp_server").setLevel(level.upper())
