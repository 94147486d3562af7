"""`coder-lsp models`: list, fetch, locate and remove models."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsp_server.inference.models.progress import Progress
    from lsp_server.inference.models.store import ModelStore


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `models` to a command line."""
    models = commands.add_parser("models", help="list, fetch, locate and remove models")
    actions = models.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the models known by name, and those installed")
    listing.add_argument("--json", action="store_true", help="print one JSON array")
    for action, doc in (
        ("pull", "fetch a model, unless it is here"),
        ("path", "print the directory of a model that is here"),
        ("rm", "delete a model from the store"),
    ):
        parser = actions.add_parser(action, help=doc)
        parser.add_argument(
            "name", metavar="NAME", help="a name from the list, a hub id, or a local path"
        )


def run(args: argparse.Namespace) -> int:
    """Run `coder-lsp models ACTION`; 0, or 1 after one message on stderr."""
    from lsp_server.inference.models.progress import ModelError
    from lsp_server.inference.models.store import ModelStore

    try:
        return int(_ACTIONS[args.action](ModelStore(), args))
    except ModelError as error:
        print(f"coder-lsp: {error}", file=sys.stderr)
        return 1


def _list(store: ModelStore, args: argparse.Namespace) -> int:
    rows = _rows(store)
    print(json.dumps(rows, indent=2, ensure_ascii=False) if args.json else _table(rows))
    return 0


def _pull(store: ModelStore, args: argparse.Namespace) -> int:
    from lsp_server.inference.models.progress import megabytes
    from lsp_server.inference.models.registry import registry
    from lsp_server.inference.models.sources import folder_size

    entry = registry().get(args.name)
    if entry is not None:
        print(f"{entry.name}: licence {entry.licence}", file=sys.stderr)
    with ProgressPrinter() as printer:
        model = store.pull(args.name, printer)
    print(f"{model.name}: {megabytes(folder_size(model.directory))} on disk", file=sys.stderr)
    print(model.directory)
    return 0


def _path(store: ModelStore, args: argparse.Namespace) -> int:
    model = store.find(args.name)
    if model is None:
        print(
            f"coder-lsp: {args.name} is not installed; `coder-lsp models pull {args.name}` does it",
            file=sys.stderr,
        )
        return 1
    print(model.directory)
    return 0


def _remove(store: ModelStore, args: argparse.Namespace) -> int:
    from lsp_server.inference.models.progress import megabytes

    freed = store.remove(args.name)
    print(f"{args.name}: {megabytes(freed)} freed" if freed else f"{args.name} was not installed")
    return 0


_ACTIONS = {"list": _list, "pull": _pull, "path": _path, "rm": _remove}


def _rows(store: ModelStore) -> list[dict[str, Any]]:
    """What the list says: the registry's models, then those installed under other names."""
    from lsp_server.inference.models.registry import registry
    from lsp_server.inference.models.sources import folder_size

    installed = {model.name: model for model in store.installed()}
    rows: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "installed": entry.name in installed,
            "bytes": entry.size,
            "window": entry.window,
            "family": entry.family,
            "hashes": "pinned" if entry.pinned else "by hub",
            "licence": entry.licence + (" (terms to accept on the hub)" if entry.gated else ""),
        }
        for entry in registry().values()
    ]
    rows += [
        {
            "name": model.name,
            "installed": True,
            "bytes": folder_size(model.directory),
            "window": model.window,
            "family": model.family,
            "hashes": None,
            "licence": None,
        }
        for model in installed.values()
        if model.name not in registry()
    ]
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    from lsp_server.inference.models.progress import megabytes

    cells = [("", "NAME", "SIZE", "WINDOW", "FAMILY", "HASHES", "LICENCE")]
    cells += [
        (
            "*" if row["installed"] else "",
            row["name"],
            megabytes(row["bytes"]),
            str(row["window"]),
            row["family"] or "-",
            row["hashes"] or "-",
            row["licence"] or "-",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines) + "\n(* installed)"


class ProgressPrinter:
    """Shows progress on stderr: a bar on a terminal, else a line at every tenth."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._step: tuple[str, str] | None = None
        self._tenth = -1
        self._bar: Any = None

    def __enter__(self) -> ProgressPrinter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        step = (progress.status, progress.detail)
        changed, self._step = step != self._step, step
        if self._terminal:
            self._draw(progress, changed)
        else:
            self._print(progress, changed)

    def _draw(self, progress: Progress, changed: bool) -> None:
        from tqdm import tqdm

        if changed:
            if self._bar is not None:
                self._bar.close()
            self._bar = tqdm(
                total=progress.total,
                desc=f"{progress.status} {progress.detail}",
                unit="B",
                unit_scale=True,
            )
        self._bar.n = progress.done
        self._bar.refresh()

    def _print(self, progress: Progress, changed: bool) -> None:
        from lsp_server.inference.models.progress import megabytes

        tenth = progress.done * 10 // progress.total if progress.total else 0
        if changed or tenth > self._tenth:
            done, total = megabytes(progress.done), megabytes(progress.total)
            print(f"{progress.status} {progress.detail}: {done} of {total}", file=sys.stderr)
        self._tenth = tenth
