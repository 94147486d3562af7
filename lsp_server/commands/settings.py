"""`coder-lsp settings`: the user's settings, and where each comes from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from lsp_server import settings_schema
from lsp_server.settings import Settings, config_file, load, origins, reference


def run(args: argparse.Namespace) -> int:
    """Print. Returns 0, or 1 where something in the settings is wrong."""
    if args.schema:
        print(settings_schema.as_json(settings_schema.schema()), end="")
        return 0
    if args.markdown:
        print(settings_schema.markdown(), end="")
        return 0
    settings, problems = load()
    _print(settings)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _print(settings: Settings) -> None:
    rows = list(_rows(settings))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        print(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}")
    print(f"\nYours to change in {config_file()}; an editor's own settings come on top.")


def _rows(settings: Settings) -> Iterator[tuple[str, str, str]]:
    sources = origins()
    for name in reference():
        yield name, _shown(name, _value(settings, name)), sources.get(name, "default")


def _value(settings: Settings, name: str) -> Any:
    group, _, leaf = name.rpartition(".")
    return getattr(getattr(settings, group) if group else settings, leaf)


def _shown(name: str, value: Any) -> str:
    if name == "engine.api_key":
        return "set" if value else "-"
    return "-" if value in (None, []) else settings_schema.shown(value)
