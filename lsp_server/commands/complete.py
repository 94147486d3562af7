"""`coder-lsp complete`: what the editor would be offered at a place in a file, with the repository
around it as context."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import attrs
from tqdm import tqdm

from lsp_server.completion.explain import as_data, summary
from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import (
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Progress,
    Suggestion,
)
from lsp_server.context import location
from lsp_server.context.cross_file import CrossFile
from lsp_server.context.languages.table import language_of
from lsp_server.settings import Settings, StatisticsSettings, load

INDEX_SECONDS, UPDATE_SECONDS = 20.0, 2.0
"""Longest to wait for a repository to be indexed, and for an index to be brought up to date."""
DEADLINE_MS = 2_000
"""Longest that choosing context takes: nobody is typing, and nothing is in memory yet."""


class UsageError(Exception):
    """What was asked for cannot be done; the message is for the user."""


def run(args: argparse.Namespace) -> int:
    """Complete and print. Returns 0 with a suggestion, 1 without one or on an error."""
    try:
        root = None if args.no_context else _repository(args.file)
        request = _request(args, root)
        settings, problems = load()
        for problem in problems:
            print(problem, file=sys.stderr)
        if args.model:
            settings = attrs.evolve(settings, model=args.model)
        [suggestion] = asyncio.run(complete_in_turn(settings, [request], root))
    except UsageError as error:
        print(f"coder-lsp complete: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(as_json(suggestion), ensure_ascii=False))
    else:
        _print(suggestion)
    return 0 if suggestion.text else 1


async def complete_in_turn(
    settings: Settings, requests: Sequence[CompletionRequest], root: Path | None = None
) -> list[Suggestion]:
    """Bring the engine up, showing its progress on a terminal, and complete one after another, each
    anew. What of the folder `root` is indexed, or is within `INDEX_SECONDS`, serves as context.

    Raises UsageError when the engine cannot be used.
    """
    states: asyncio.Queue[EngineState] = asyncio.Queue()
    steps: asyncio.Queue[Progress] = asyncio.Queue()
    workspace = EditorWorkspace((root,) if root else (), on_progress=steps.put_nowait)
    settings = attrs.evolve(
        settings,
        context=attrs.evolve(settings.context, deadline_ms=DEADLINE_MS),
        completion=attrs.evolve(settings.completion, prefetch=False, reuse=False),
        statistics=StatisticsSettings(enabled=False),
    )
    service = CompletionService(settings, states.put_nowait, workspace)
    is_known = root is not None and location.current(location.index_folder(root)) is not None
    await service.start()
    try:
        for each in requests:
            if root and each.file:
                service.context.opened(each.file, each.language, each.text)
        end = time.monotonic() + (UPDATE_SECONDS if is_known else INDEX_SECONDS)
        await _wait_until_ready(states)
        await _wait_until_indexed(service.context, steps, end)
        return [await service.complete(replace(each, invoked=True)) for each in requests]
    finally:
        await service.close()


async def _wait_until_ready(states: asyncio.Queue[EngineState]) -> None:
    with _bar("{desc} {percentage:3.0f}%", total=100) as bar:
        while (state := await states.get()).status != "ready":
            if state.status == "failed":
                raise UsageError(state.message)
            bar.set_description_str(state.message or state.status)
            bar.n = state.percent or 0
            bar.refresh()


async def _wait_until_indexed(
    context: CrossFile, steps: asyncio.Queue[Progress], end: float
) -> None:
    with _bar("indexing, {n} of {total} files") as bar:
        while not context.progress.ready:
            try:
                step = await asyncio.wait_for(steps.get(), end - time.monotonic())
            except asyncio.TimeoutError:
                print("not all of the repository is indexed yet", file=sys.stderr)
                return
            bar.n, bar.total = step.done, step.total
            bar.refresh()


def _bar(form: str, total: int = 0) -> Any:
    """For a terminal only; gone when it is done."""
    is_hidden = not sys.stderr.isatty()
    return tqdm(total=total, disable=is_hidden, leave=False, bar_format=form)


def _repository(file: Path) -> Path | None:
    """The folder of the repository that a file is in."""
    folders = _absolute(file).parents
    return next((each for each in folders if os.path.lexists(each / ".git")), None)


def _absolute(file: Path) -> Path:
    return Path(os.path.abspath(file))  # noqa: PTH100, since it takes `..` away, too


def _request(args: argparse.Namespace, root: Path | None) -> CompletionRequest:
    text = _read(args.file)
    if args.at is None:
        if text.count(args.marker) != 1:
            raise UsageError(f"{args.file} must hold the marker {args.marker!r} exactly once")
        offset = text.index(args.marker)
        text = text.replace(args.marker, "")
    else:
        offset = _offset(text, args.at)
    file = _absolute(args.file)
    return CompletionRequest(
        path=file.relative_to(root).as_posix() if root else file.name,
        language=language_of(file.name).name,
        text=text,
        offset=offset,
        repository=root.name if root else "",
        file=file,
    )


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text") from error


def _offset(text: str, at: str) -> int:
    """Character offset of `LINE:COL`, both counted from 1. Raises UsageError when outside."""
    line_text, _, column_text = at.partition(":")
    if not (line_text.isdecimal() and column_text.isdecimal()):
        raise UsageError(f"--at wants LINE:COL, such as 12:5, not {at!r}")
    line, column = int(line_text), int(column_text)
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise UsageError(f"there is no line {line}: the file has {len(lines)}")
    length = len(lines[line - 1].removesuffix("\r"))
    if not 1 <= column <= length + 1:
        raise UsageError(f"line {line} has columns 1 to {length + 1}, not {column}")
    return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1


def as_json(suggestion: Suggestion) -> dict[str, Any]:
    """The suggestion and its receipt, as plain data."""
    return {"text": suggestion.text, "receipt": as_data(suggestion.receipt)}


def timing(suggestion: Suggestion) -> str:
    """Time to the first token and per further token, in words."""
    stages, tokens = suggestion.receipt.stages_ms, suggestion.receipt.tokens
    if "first_token" not in stages:
        return "no token came"
    further = tokens.get("generated", 1) - 1
    words = f"first token after {stages['first_token']:.0f} ms"
    if further > 0 and "generate" in stages:  # else it broke off
        each = (stages["generate"] - stages["first_token"]) / further
        words += f", {each:.0f} ms for each of {further} more"
    return words


def _print(suggestion: Suggestion) -> None:
    receipt = suggestion.receipt
    if suggestion.text:
        print(suggestion.text)
    else:
        print(f"no suggestion: {summary(receipt)}", file=sys.stderr)
    print(timing(suggestion), file=sys.stderr)
