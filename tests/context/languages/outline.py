"""Symbols and imports as text: one line each, so that a whole file's can be read at a glance."""

from __future__ import annotations

from collections.abc import Iterator

from lsp_server.context.types import FileSymbols, Import, Symbol


def outline(file: FileSymbols) -> str:
    """Members are indented below their class; what is empty is left out."""
    lines = [line for symbol in file.symbols for line in _symbol(symbol, "")]
    return "".join(f"{line}\n" for line in (*map(_import, file.imports), *lines))


def _import(imp: Import) -> str:
    return f"{imp.line}: import {imp.module!r} name={imp.name!r} alias={imp.alias!r}"


def _symbol(symbol: Symbol, indent: str) -> Iterator[str]:
    marked = {
        "type": symbol.type,
        "bases": ", ".join(symbol.bases),
        "doc": symbol.doc,
        "in": symbol.container,
    }
    marks = "".join(f" | {name}: {value}" for name, value in marked.items() if value)
    lines = f"{symbol.line}-{symbol.end_line}"
    yield f"{indent}{lines}: {symbol.kind} {symbol.name} | {symbol.signature}{marks}"
    for member in symbol.members:
        yield from _symbol(member, indent + "  ")
