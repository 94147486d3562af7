"""Cross-file context for a language server: all workspace folders, an answer within a deadline."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lsp_server.context.assembly import choose
from lsp_server.context.files import Rules
from lsp_server.context.git import Changes
from lsp_server.context.installed import Installed
from lsp_server.context.languages.table import language_of
from lsp_server.context.privacy import Level, Privacy
from lsp_server.context.steadiness import Chosen
from lsp_server.context.types import Cursor, Progress, Window
from lsp_server.context.workspace import Workspace

RECENT_FILES = 20
"""Files edited or viewed lately that count as evidence."""
CHOICES_KEPT = 64
PACKAGES_SHARE = 0.5
"""The part of a deadline in which files of installed packages may still be read."""
SEARCH_SHARE = 0.8
"""The part of a deadline that a search for similar text may take."""
LARGEST_DOCUMENT = 2_000_000
"""Characters. Larger documents get no context: looking at one holds up everything else."""

# What is longer is data, over which patterns meant for code take very long.
_LONG_LINE = re.compile(r"^.{1000,}", re.MULTILINE)
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What context is wanted for: the open document's file and language id, the text on both sides
    of the cursor (newlines as `\\n`), the budget and its measure in tokens, and the characters of
    the document that the prompt shows anyway (None: all of them)."""

    file: Path
    language_id: str
    prefix: str
    suffix: str
    budget: int
    count: Callable[[str], int]
    shown: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Folder:
    """One workspace folder and what is known of it."""

    root: Path
    workspace: Workspace
    installed: Installed
    changes: Changes

    async def close(self) -> None:
        self.installed.close()
        await self.workspace.close()


class CrossFile:
    """The workspace folders of one editor. Methods are called on the event loop and return at once.

    `on_progress` is told how far indexing is, all folders taken together. With `watches`, changes
    on disk are looked for; without, the editor tells of them by `changed`. Not `enabled`, nothing
    is indexed, and only `level` has something to say. With `installed`, packages that are installed
    for a document count as well.
    """

    def __init__(
        self,
        roots: Iterable[Path],
        rules: Rules,
        on_progress: Callable[[Progress], None],
        *,
        watches: bool,
        enabled: bool = True,
        installed: bool = True,
    ) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self._rules = rules
        self._on_progress = on_progress
        self._watches = watches
        self._privacy = Privacy(rules.never, rules.not_shared, rules.fine)
        self._enabled = enabled
        self._shows_installed = installed
        self._folders: dict[Path, _Folder] = {}
        self._make_missing()
        self._recent: deque[Path] = deque(maxlen=RECENT_FILES)
        self._choices: dict[Path, Chosen] = {}
        # one thread: a request that comes while another is late waits no longer than its deadline
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="context")

    async def start(self) -> None:
        """Use the indexes there are, and have them brought up to date in the background."""
        await self._start(list(self._folders.values()))

    async def close(self) -> None:
        """End indexing and watching. From now on nothing is chosen."""
        self._enabled = False
        self._thread.shutdown(wait=False, cancel_futures=True)
        await self._end(list(self._folders))

    def level(self, file: Path, text: str = "") -> Level:
        """How private a document is, by its place and, if given, its text."""
        return self._privacy.level_of_file(file, self._root_of(file), text)

    def why_private(self, file: Path, text: str = "") -> str:
        """The rule for which a document is nobody's business; empty when it is not private."""
        return self._privacy.why_never(file, self._root_of(file), text)

    async def change_roots(self, roots: Iterable[Path]) -> None:
        """Take up new workspace folders, and let go of those that are no more. New ones, and those
        around them, know of no document."""
        self.roots = tuple(dict.fromkeys(roots))
        ended = self._end(
            root
            for root, folder in list(self._folders.items())
            if root not in self.roots or folder.workspace.rules != self._rules_of(root)
        )
        new = self._make_missing()
        await ended
        await self._start(new)

    def watch(self) -> None:
        """Look for changes on disk from now on: the editor does not tell of them after all."""
        self._watches = True
        for folder in self._folders.values():
            folder.workspace.watch()

    def opened(self, file: Path, language_id: str, text: str) -> None:
        """Tell of an opened document: it wins over the disk from now on."""
        self._visited(file)
        if (found := self._find(file)) is not None:
            found[0].workspace.opened(found[1], language_id, text)

    def edited(self, file: Path, text: str) -> None:
        """Tell of an open document's new text."""
        self._visited(file)
        if (found := self._find(file)) is not None:
            found[0].workspace.edited(found[1], text)

    def closed(self, file: Path) -> None:
        """Tell that a document was closed."""
        self._choices.pop(file, None)
        if (found := self._find(file)) is not None:
            found[0].workspace.closed(found[1])

    async def take_up_edits(self) -> None:
        """Look at all open documents as they are now. Without, a request may know its own document
        as it was a while ago, or still as it is on the disk."""
        for folder in self._folders.values():
            await asyncio.wrap_future(self._thread.submit(folder.workspace.index_for, ""))

    def forget_visits(self) -> None:
        """Take no file for a recent one any more."""
        self._recent.clear()

    def changed(self, files: Iterable[Path]) -> None:
        """Tell of files or folders that came, went or changed on disk."""
        by_root: dict[Path, list[str]] = {}
        for file in files:
            if (found := self._find(file)) is not None:
                by_root.setdefault(found[0].root, []).append(found[1])
        for root, paths in by_root.items():
            self._folders[root].workspace.changed(paths)

    async def choose(self, question: Question, seconds: float) -> Chosen:
        """The pieces of other files for a prompt. After `seconds`, what was chosen last for the
        document, which is nothing the first time."""
        length = len(question.prefix) + len(question.suffix)
        found = self._find(question.file)
        if found is None or question.budget <= 0 or length > LARGEST_DOCUMENT:
            return Chosen()
        folder, path = found
        recent = (*self._recent_in(folder), *folder.changes.paths())
        submitted = self._thread.submit(
            self._choose, folder, path, question, recent, time.monotonic(), seconds
        )
        work = asyncio.wrap_future(submitted)
        work.add_done_callback(partial(self._take, question.file))
        try:
            await asyncio.wait({work}, timeout=seconds)
        finally:
            submitted.cancel()  # unless it has begun: then the next request has use for it
        return self._choices.get(question.file, Chosen())

    def _choose(
        self,
        folder: _Folder,
        path: str,
        question: Question,
        recent: Sequence[str],
        began: float,
        seconds: float,
    ) -> Chosen:
        language = language_of(path, question.language_id).name
        packages = None
        if self._shows_installed:
            until = began + PACKAGES_SHARE * seconds
            packages = folder.installed.packages(path, language, until)
        previous = self._choices.get(question.file, Chosen())
        cursor = Cursor(path, language, _blanked(question.prefix), _blanked(question.suffix))
        search = folder.workspace.search(cursor)
        return choose(
            cursor,
            folder.workspace.index_for(path),
            partial(_found, search, began + SEARCH_SHARE * seconds),
            question.budget,
            question.count,
            previous=previous if folder.workspace.still_has(previous) else None,
            window=question.shown,
            recent=recent,
            packages=packages,
        )

    def _take(self, file: Path, work: asyncio.Future[Chosen]) -> None:
        """Keep what was chosen, in time or not."""
        if work.cancelled():
            return
        if error := work.exception():
            # not what it says: some errors quote the text that they are about
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("no context was chosen: %s\n%s", type(error).__name__, trace)
            return
        self._choices.pop(file, None)
        self._choices[file] = work.result()
        if len(self._choices) > CHOICES_KEPT:
            del self._choices[next(iter(self._choices))]

    def _recent_in(self, folder: _Folder) -> Sequence[str]:
        places = (self._find(file) for file in self._recent)
        return [place[1] for place in places if place is not None and place[0] is folder]

    def _visited(self, file: Path) -> None:
        if not self._recent or self._recent[0] != file:
            if file in self._recent:
                self._recent.remove(file)
            self._recent.appendleft(file)

    def _make_missing(self) -> list[_Folder]:
        """What the folders need that are not known yet."""
        missing = [root for root in self.roots if root not in self._folders and self._enabled]
        new = {root: self._make(root) for root in missing if not _is_too_wide(root)}
        self._folders.update(new)
        return list(new.values())

    def _make(self, root: Path) -> _Folder:
        def tell(_: Progress) -> None:
            self._on_progress(self.progress)

        workspace = Workspace(root, self._rules_of(root), tell, watches=self._watches)
        return _Folder(root, workspace, Installed(root, self._privacy), Changes(root))

    def _rules_of(self, root: Path) -> Rules:
        """A folder within another is left to itself: patterns count from its own root."""
        inner = (each.relative_to(root).as_posix() for each in self.roots if root in each.parents)
        exclude = tuple("/" + _SPECIAL.sub(r"\\\1", path) + "/" for path in inner)
        return replace(self._rules, exclude=(*self._rules.exclude, *exclude))

    @property
    def progress(self) -> Progress:
        """How far indexing is, all folders taken together."""
        parts = [folder.workspace.progress for folder in self._folders.values()]
        return Progress(
            done=sum(part.done for part in parts),
            total=sum(part.total for part in parts),
            ready=all(part.ready or part.elsewhere for part in parts),
        )

    def _root_of(self, file: Path) -> Path | None:
        roots = [root for root in self.roots if root in file.parents]
        return max(roots, key=lambda root: len(root.parts), default=None)

    def _find(self, file: Path) -> tuple[_Folder, str] | None:
        """The folder that holds a file, and the file's path in it, with slashes."""
        root = self._root_of(file)
        folder = self._folders.get(root) if root else None
        return None if folder is None else (folder, file.relative_to(folder.root).as_posix())

    async def _start(self, folders: Iterable[_Folder]) -> None:
        for folder in folders:
            if self._folders.get(folder.root) is folder:  # not let go of meanwhile
                await folder.workspace.start()

    def _end(self, roots: Iterable[Path]) -> asyncio.Future[list[None]]:
        """Let go of folders, at once; wait for the result until their processes have ended."""
        folders = [self._folders.pop(root) for root in roots]
        if folders:
            self._on_progress(self.progress)  # of theirs none is to come any more
        return asyncio.gather(*(folder.close() for folder in folders))


def _is_too_wide(root: Path) -> bool:
    """Whether a folder is the user's home or around it, which holds far more than work."""
    if not Path.home().resolve().is_relative_to(root.resolve()):
        return False
    log.warning("%s is not indexed, since all files of the user are in it", root)
    return True


def _found(search: Future[list[Window]], deadline: float) -> list[Window] | None:
    """What a search has found by a time in `time.monotonic()` seconds; None when it is not done."""
    try:
        return search.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        search.cancel()
        return None


def _blanked(text: str) -> str:
    """A text whose long lines are spaces: no offset changes."""
    return _LONG_LINE.sub(lambda line: " " * len(line[0]), text)
