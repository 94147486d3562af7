"""Rows as tests need them."""

from __future__ import annotations

from typing import Any

from lsp_server.evaluation.rows import Row


def row(**parts: Any) -> Row:
    """A row, of which only what matters is said."""
    plain = {
        "id": "one",
        "benchmark": "repository-member",
        "language": "python",
        "prefix": "a = 1\nb = ",
        "suffix": "\nc = 3\n",
        "groundtruth": "a + 1",
        "path": "main.py",
    }
    return Row(**{**plain, **parts})
