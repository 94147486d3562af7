"""Places written down: `^` is the cursor."""

from __future__ import annotations

from lsp_server.completion.place import Place, place_at
from lsp_server.completion.scope import Scope, ScopeRules, scope_at


def at(text: str, language: str = "python") -> Place:
    """The place of the `^` in a text."""
    prefix, suffix = text.split("^")
    return place_at(prefix, suffix, language)


def wanted(place: Place, max_lines: int = 8) -> Scope:
    """How much is suggested at a place when the user asks."""
    return scope_at(place, ScopeRules(max_lines), invoked=True)
