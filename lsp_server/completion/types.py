"""What a completion is asked with and answered with: plain text and offsets, no protocol."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

from lsp_server.context.types import Progress
from lsp_server.inference.types import EngineState
from lsp_server.prompt.line_ends import with_plain_newlines
from lsp_server.prompt.types import Prompt, Snippet

__all__ = [
    "SUPERSEDED",
    "Anchor",
    "CompletionRequest",
    "EditorWorkspace",
    "EngineState",
    "Outcome",
    "Output",
    "Progress",
    "Receipt",
    "Suggestion",
    "Work",
]


SUPERSEDED = "superseded"
"""The message a request's task is cancelled with when it was not the editor that withdrew it."""


class Outcome(Enum):
    """What ended a request. Every request ends in exactly one of these."""

    SUGGESTED = "suggested"
    CACHED = "suggested from what was generated before"
    ATTACHED = "suggested by a generation that an earlier request began"
    EMPTY = "the model had nothing to add"
    TRIMMED = "nothing was left after trimming"
    UNSURE = "the model was too unsure"
    REJECTED = "the same suggestion was rejected here before"
    DISABLED = "suggestions are not wanted here"
    PRIVATE = "the file is private, by its name or what it holds"
    LOADING = "the model is not ready yet"
    NO_MODEL = "no model can be used"
    CANCELLED = "the editor withdrew the request"
    SUPERSEDED = "the document changed or a newer request came"
    ENGINE_FAILED = "the inference engine failed"
    TIMED_OUT = "the inference engine took too long"
    FAILED = "an error inside coder-lsp"


Output = Literal["fitted", "cut", "raw"]
"""A model's text, trimmed to what fits the place, as it is shown; or only cut where the scope ends;
or all of it, up to the bound on tokens (the latter two are for evaluation)."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A document cut at the cursor, newlines as `\\n`."""

    document: str
    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A snapshot of one document at the moment it was asked about.

    `path` is the file's path from the workspace's root (or its name), with forward slashes;
    `language` the LSP language id; `text` the whole document; `offset` the cursor as a character
    (code point) offset in it; `file` its absolute path, where it has one. `cross_file` are snippets
    of other files, best first, to be shown instead of chosen ones. `document` names the document
    among all that are open; `invoked`: the user asked for it, it did not come with typing. `output`
    is what of the model's text is wanted.
    """

    path: str
    language: str
    text: str
    offset: int
    cross_file: tuple[Snippet, ...] = ()
    repository: str = ""
    file: Path | None = None
    document: str = ""
    invoked: bool = False
    output: Output = "fitted"

    @property
    def name(self) -> str:
        """What the document is known by."""
        return self.document or self.path

    def anchor(self) -> Anchor:
        """The document, cut at the cursor."""
        before, after = self.text[: self.offset], self.text[self.offset :]
        return Anchor(self.name, with_plain_newlines(before), with_plain_newlines(after))


@dataclass(frozen=True, slots=True)
class EditorWorkspace:
    """The folders that an editor has open. `watches`: the server itself must look for changes on
    disk, since the editor does not tell of them. `on_progress` is called as indexing goes on.
    `installed`: what is installed for their files may be shown to the model."""

    roots: tuple[Path, ...] = ()
    watches: bool = False
    on_progress: Callable[[Progress], None] = lambda progress: None
    installed: bool = True


@dataclass(slots=True)
class Work:
    """What a generation took: stages in milliseconds, tokens by part (`cached` ones of its prompt
    had been read before), for each other file that was shown the reason, the prompt itself, and how
    sure the model was: the mean probability of its tokens, 0 to 1, where that was asked for.
    `is_foreseen`: the request that it was begun for has not come yet."""

    order: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)
    prompt: Prompt | None = None
    confidence: float | None = None
    is_foreseen: bool = False


@dataclass(slots=True)
class Receipt:
    """How one request was answered. `at` is in seconds since 1970; `line` the cursor's, from 1, or
    0 where it is not known; `suggested` the characters that were offered; order, stages, tokens,
    context and prompt are those of the generation that it waited for, or that was begun for it."""

    path: str
    offset: int
    document: str = ""
    language: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    at: float = field(default_factory=time.time)
    outcome: Outcome = Outcome.FAILED
    order: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)
    prompt: Prompt | None = field(default=None, repr=False)
    detail: str = ""
    suggested: int = 0
    line: int = 0

    def take(self, work: Work) -> None:
        """Note what the generation took."""
        self.order, self.prompt = work.order, work.prompt
        self.stages_ms, self.tokens = dict(work.stages_ms), dict(work.tokens)
        self.context = dict(work.context)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to insert at the request's offset, with newlines as `\\n`, and how it came about."""

    text: str
    receipt: Receipt
