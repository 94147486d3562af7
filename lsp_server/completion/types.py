"""What a completion is asked with and answered with: plain text and offsets, no protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from lsp_server.context.types import Progress
from lsp_server.inference.types import EngineState
from lsp_server.prompt.types import Snippet

__all__ = [
    "SUPERSEDED",
    "CompletionRequest",
    "EditorWorkspace",
    "EngineState",
    "Outcome",
    "Progress",
    "Receipt",
    "Suggestion",
]


SUPERSEDED = "superseded"
"""The message a request's task is cancelled with when it was not the editor that withdrew it."""


class Outcome(Enum):
    """What ended a request. Every request ends in exactly one of these."""

    SUGGESTED = "suggested"
    EMPTY = "the model had nothing to add"
    TRIMMED = "nothing was left after trimming what the file already has"
    LOADING = "the model is not ready yet"
    NO_MODEL = "no model can be used; see the log or `coder-lsp doctor`"
    CANCELLED = "the editor withdrew the request"
    SUPERSEDED = "the document changed or a newer request came"
    ENGINE_FAILED = "the inference engine failed; see its log"
    TIMED_OUT = "the inference engine took too long"
    PRIVATE = "the file is private, by its name or what it holds; `coder-lsp doctor` has the rules"
    FAILED = "an error inside coder-lsp; see the log"


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A snapshot of one document at the moment it was asked about.

    `path` is the file's path from the workspace's root (or its name), with forward slashes;
    `language` the LSP language id; `text` the whole document; `offset` the cursor as a character
    (code point) offset in it; `file` its absolute path, where it has one. `cross_file` are snippets
    of other files, best first, to be shown instead of chosen ones.
    """

    path: str
    language: str
    text: str
    offset: int
    cross_file: tuple[Snippet, ...] = ()
    repository: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class EditorWorkspace:
    """The folders that an editor has open. `watches`: the server itself must look for changes on
    disk, since the editor does not tell of them. `on_progress` is called as indexing goes on."""

    roots: tuple[Path, ...] = ()
    watches: bool = False
    on_progress: Callable[[Progress], None] = lambda progress: None


@dataclass(slots=True)
class Receipt:
    """How one request was answered: stages in milliseconds, tokens by part, its outcome, and for
    each other file that was shown the reason."""

    path: str
    offset: int
    outcome: Outcome = Outcome.FAILED
    order: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to insert at the request's offset, with newlines as `\\n`, and how it came about."""

    text: str
    receipt: Receipt
