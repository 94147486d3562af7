"""The language server: features in one place, each handler a few lines that delegate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server import __version__
from lsp_server import settings as settings_module
from lsp_server.completion.types import (
    SUPERSEDED,
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Outcome,
    Suggestion,
)
from lsp_server.lsp import items, logs, stdio
from lsp_server.lsp.documents import Documents, Snapshot
from lsp_server.lsp.inspection import Inspection
from lsp_server.lsp.paths import file_of, folders_of, locate
from lsp_server.lsp.profiles import Profile, profile_of
from lsp_server.lsp.progress import IndexProgress, ModelProgress, Status
from lsp_server.lsp.protocol import Protocol
from lsp_server.lsp.service import Context, MakeService, Service
from lsp_server.lsp.text import Position
from lsp_server.settings import Settings

logger = logging.getLogger(__name__)

WHY_COMMAND = "coder-lsp.why"
RECEIPT_COMMAND = "coder-lsp.receipt"
LOG_COMMAND = "coder-lsp.log"
DID_FOCUS = "textDocument/didFocus"
"""What some clients send when a document comes to the front; no part of LSP."""
SECTION = "coder-lsp"
"""The name that clients keep our settings under, where they send more than ours."""
TRIGGER_CHARACTERS = [".", ":", ">", "(", "[", "{", ",", "=", " "]

Result = TypeVar("Result")


class CoderServer(LanguageServer):
    """One client's server: its documents, settings, and running requests."""

    protocol: Protocol

    def __init__(self, make_service: MakeService) -> None:
        super().__init__("coder-lsp", __version__, protocol_cls=Protocol)
        self.documents = Documents()
        self.profile: Profile = profile_of({})
        self.folders: list[str] = []
        self.settings = Settings()
        self.service: Service | None = None
        self.model = ModelProgress(self)
        self.status = Status(self)
        self.index = IndexProgress(self)
        self.inspection = Inspection(lambda: self.service)
        self._make_service = make_service
        self._changing_service = asyncio.Lock()
        self._service_settings = self.settings
        self._initial_settings: Any = None
        self._problems: list[str] = []
        self._must_watch = False
        self._in_front = ""
        self._looking: asyncio.Task[None] | None = None
        self._running: dict[tuple[str, str], asyncio.Task[Any]] = {}

    def meet(self, params: Mapping[str, Any], encoding: Any) -> None:
        """Learn from the `initialize` params whom we serve, and how."""
        self.profile = profile_of(params)
        self.folders = folders_of(params)
        self.documents = Documents(encoding)
        self.status.supported = self.profile.status
        self.index.supported = self.profile.progress
        self.model.supported = self.profile.progress and not self.profile.status
        self._initial_settings = _section(params.get("initializationOptions"))
        self.settings, self._problems = settings_module.load(self._initial_settings)
        logs.set_level(self.settings.log_level)
        logger.info("client %r, positions in %s", self.profile.client, encoding)

    async def start_service(self) -> None:
        """Bring the model up, and name what is wrong in the settings."""
        self._name_problems(self._problems)
        async with self._changing_service:
            self._service_settings = self.settings
            try:
                self.service = await asyncio.to_thread(  # it imports much
                    self._make_service, self.settings, self._model_changed, self._workspace()
                )
                self._announce_documents()
                await self.service.start()
            except Exception as error:
                logger.exception("the service did not start")
                self._model_changed(EngineState("failed", str(error)))
        await self.inspection.open()
        self._look_at_front()
        await self._ask_for_file_changes()  # for as long as the client wants to think about it

    async def change_settings(self, editor: Any) -> None:
        """Take over what the editor sent; what it leaves out stays as at initialization."""
        changed = None if _is_of_other_servers(editor) else _section(editor)
        if changed is None:
            return
        known = self._problems
        self.settings, self._problems = settings_module.load(
            _merge(self._initial_settings, changed)
        )
        self._name_problems([each for each in self._problems if each not in known])
        logs.set_level(self.settings.log_level)
        async with self._changing_service:
            if self.service is not None and self.settings != self._service_settings:
                self._service_settings = self.settings
                context = self.service.context
                await self.service.configure(self.settings)
                if self.service.context is not context:
                    self._announce_documents()
        self._look_at_front()

    @property
    def context(self) -> Context | None:
        """Whom to tell of documents and files, once there is somebody."""
        return self.service.context if self.service else None

    def opened(self, uri: str) -> None:
        """Tell of a document that is open from now on."""
        document = self.documents.snapshot(uri) if self.service else None
        if self.service and document:
            if self.context and (file := file_of(uri)):
                self.context.opened(file, document.language, document.buffer.text)
            self.service.opened(self._request(document, 0))
        if uri == self._in_front:  # of another language, perhaps
            self._look_at_front()

    def edited(self, uri: str) -> None:
        """Tell of an open document's new text."""
        document = self.documents.snapshot(uri) if self.service else None
        if self.service and document:
            if self.context and (file := file_of(uri)):
                self.context.edited(file, document.buffer.text)
            self.service.edited(self._request(document, document.edited))

    def focused(self, uri: str) -> None:
        """Tell of a document that came to the front."""
        self._in_front = uri
        document = self.documents.snapshot(uri) if self.service else None
        if self.service and document:
            self.service.opened(self._request(document, document.edited))
        self._look_at_front()

    def closed(self, uri: str) -> None:
        """Tell of a document that is open no more."""
        if self.context and (file := file_of(uri)):
            self.context.closed(file)
        if self.service:
            self.service.closed(uri)
        if uri == self._in_front:
            self._look_at_front()

    def files_changed(self, uris: Iterable[str]) -> None:
        """Tell of what the editor saw change on disk."""
        if self.context:
            self.context.changed([file for uri in uris if (file := file_of(uri))])

    async def change_folders(self, removed: Iterable[str], added: Iterable[str]) -> None:
        """Take up and let go of workspace folders."""
        gone = set(removed)
        self.folders = [folder for folder in self.folders if folder not in gone] + list(added)
        async with self._changing_service:  # one that is being made was told of the old ones
            if self.context:
                await self.context.change_roots(self._roots())
                self._announce_documents()

    async def answer(
        self,
        method: str,
        uri: str,
        cursor: types.Position,
        present: Callable[[Suggestion, Snapshot, Position], Result],
        nothing: Result,
        *,
        invoked: bool = False,
    ) -> Result:
        """Answer a completion request for a document as it is now, in place of an older one.

        `invoked`: the user asked for it. `present` makes a suggestion the result. Raises only
        CancelledError.
        """
        document = self.documents.snapshot(uri)
        if document is None:
            logger.warning("%s for a document that is not open", method)
            return nothing
        self.supersede(uri, method)
        task = asyncio.current_task()
        assert task is not None
        self._running[uri, method] = task
        try:
            offset = document.buffer.offset_at(Position(cursor.line, cursor.character))
            suggestion = await self._suggestion(document, offset, invoked)
            if suggestion is None:
                return nothing
            return present(suggestion, document, document.buffer.position_at(offset))
        except asyncio.CancelledError as end:
            if self.profile.shows_errors and end.args == (SUPERSEDED,):
                return nothing
            raise
        except Exception:
            logger.exception("%s failed", method)
            return nothing
        finally:
            if self._running.get((uri, method)) is task:
                del self._running[uri, method]

    def supersede(self, uri: str, method: str | None = None) -> None:
        """End the document's running requests of this method, or all: answered with -32800, or
        with nothing where that would be shown."""
        for (document, kind), task in self._running.items():
            if document == uri and method in (kind, None):
                task.cancel(SUPERSEDED)

    def asks_on_demand(self, params: types.CompletionParams) -> bool:
        """Whether the user may have asked for a completion list: a client says the same of a typed
        letter, so that only counts where suggestions come on demand."""
        invoked = types.CompletionTriggerKind.Invoked
        asked = params.context is None or params.context.trigger_kind == invoked
        return asked and self.settings.completion.eagerness == "on-demand"

    async def close(self) -> None:
        """Let go of everything; for the end of the process."""
        for task in self._running.values():
            task.cancel()
        if self._looking is not None:
            self._looking.cancel()
        self.inspection.close()
        if self.service is not None:
            try:
                await self.service.close()
            except Exception:
                logger.exception("the service did not close")

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log it. The user is told of what concerns the user, elsewhere."""
        details = getattr(error, "data", None) or {}
        logger.error("%s\n%s", error, "".join(details.get("traceback", ())))

    def _model_changed(self, state: EngineState) -> None:
        self.model.update(state)
        self.status.update(state)

    def _look_at_front(self) -> None:
        """Have the client shown whether anything is suggested in the document in front, as things
        are now: an older look at it, which may take longer, ends."""
        if self._looking is not None:
            self._looking.cancel()
        if self.status.supported:
            self._looking = asyncio.get_running_loop().create_task(self._show_front())

    async def _show_front(self) -> None:
        uri = self._in_front
        document = self.documents.snapshot(uri) if self.service else None
        request = self._request(document, 0) if document else None
        why_off = await self.service.why_off(request) if self.service and request else ""
        self.status.look_at(uri, why_off)

    async def _suggestion(
        self, document: Snapshot, offset: int, invoked: bool
    ) -> Suggestion | None:
        request = self._request(document, offset, invoked)
        suggestion = await self.service.complete(request) if self.service else None
        too_early = suggestion is None or suggestion.receipt.outcome is Outcome.LOADING
        if too_early and not self.status.supported:
            self.model.asked_too_early()
        if suggestion and document.uri == self._in_front:
            self._note(suggestion.receipt.outcome)
        return suggestion

    def _note(self, outcome: Outcome) -> None:
        """What is typed may make the document in front private, or no more so."""
        if outcome is not Outcome.DISABLED and (outcome is Outcome.PRIVATE) != self.status.is_off:
            self._look_at_front()

    def _request(self, document: Snapshot, offset: int, invoked: bool = False) -> CompletionRequest:
        place = locate(document.uri, self.folders)
        return CompletionRequest(
            path=place.path,
            language=document.language,
            text=document.buffer.text,
            offset=offset,
            repository=place.repository,
            file=file_of(document.uri),
            document=document.uri,
            invoked=invoked,
        )

    def _workspace(self) -> EditorWorkspace:
        return EditorWorkspace(self._roots(), not self.profile.tells_of_files, self.index.update)

    def _roots(self) -> tuple[Path, ...]:
        return tuple(file for folder in self.folders if (file := file_of(folder)))

    def _announce_documents(self) -> None:
        if self._must_watch and self.context:
            self.context.watch()
        for uri in self.documents.uris():
            self.opened(uri)

    async def _ask_for_file_changes(self) -> None:
        if not self.profile.tells_of_files or self.context is None:
            return
        everything = types.FileSystemWatcher(glob_pattern="**/*")
        registration = types.Registration(
            id="files",
            method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
            register_options=types.DidChangeWatchedFilesRegistrationOptions([everything]),
        )
        try:
            await self.client_register_capability_async(
                types.RegistrationParams(registrations=[registration])
            )
        except JsonRpcException:  # it said that it could, but it will not
            self._must_watch = True
            self.context.watch()

    def _name_problems(self, problems: list[str]) -> None:
        if problems:
            message = "coder-lsp: wrong settings. " + " ".join(problems)
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))


def create_server(make_service: MakeService) -> CoderServer:
    """A language server with all its features; `stdio.serve` runs it.

    `make_service(settings, on_state, workspace)` is called once, in a thread, after `initialize`
    was answered.
    """
    server = CoderServer(make_service)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
        server.meet(server.protocol.initialize_params, getattr(encoding, "value", encoding))
        if server.profile.offers_list(server.settings.completion.completion_list):
            options = types.CompletionOptions(trigger_characters=TRIGGER_CHARACTERS)
            server.feature(types.TEXT_DOCUMENT_COMPLETION, options)(completion)

    @server.feature(types.INITIALIZED)
    async def initialized(params: Mapping[str, Any]) -> None:
        server.protocol.warm_up(items.samples(server.profile))
        await server.start_service()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: Mapping[str, Any]) -> None:
        server.documents.did_open(params)
        server.opened(params["textDocument"]["uri"])

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: Mapping[str, Any]) -> None:
        server.supersede(params["textDocument"]["uri"])
        server.documents.did_change(params)
        server.edited(params["textDocument"]["uri"])

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: Mapping[str, Any]) -> None:
        server.supersede(params["textDocument"]["uri"])
        server.documents.did_close(params)
        server.closed(params["textDocument"]["uri"])

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        selected = params.context.selected_completion_info
        return await server.answer(
            types.TEXT_DOCUMENT_INLINE_COMPLETION,
            params.text_document.uri,
            params.position,
            lambda suggestion, document, at: items.inline_list(
                suggestion.text, document.buffer, at, selected, suggestion.receipt.id
            ),
            types.InlineCompletionList(items=[]),
            invoked=params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked,
        )

    async def completion(params: types.CompletionParams) -> types.CompletionList:
        nothing = types.CompletionList(is_incomplete=True, items=[])
        if not server.profile.offers_list(server.settings.completion.completion_list):
            return nothing
        return await server.answer(
            types.TEXT_DOCUMENT_COMPLETION,
            params.text_document.uri,
            params.position,
            lambda suggestion, document, at: items.completion_list(
                suggestion.text, document, at, server.profile, suggestion.receipt.id
            ),
            nothing,
            invoked=server.asks_on_demand(params),
        )

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: Mapping[str, Any]) -> None:
        await server.change_settings(params.get("settings"))

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
        event = params.event
        await server.change_folders(
            (folder.uri for folder in event.removed), (folder.uri for folder in event.added)
        )

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_files(params: types.DidChangeWatchedFilesParams) -> None:
        server.files_changed(change.uri for change in params.changes)

    @server.feature(DID_FOCUS)
    def did_focus(params: Any) -> None:
        server.focused(params.textDocument.uri)

    @server.command(items.ACCEPTED_COMMAND)
    def accepted(*arguments: Any) -> None:
        if server.service and arguments:
            server.service.accepted(str(arguments[0]))

    @server.command(WHY_COMMAND)
    async def why(*arguments: Any) -> str:
        return await server.inspection.why(*_document_and_count(arguments))

    @server.command(RECEIPT_COMMAND)
    async def receipt(*arguments: Any) -> list[dict[str, Any]]:
        return await server.inspection.receipt(*_document_and_count(arguments))

    @server.command(LOG_COMMAND)
    def log_file(*_: Any) -> str:
        return str(logs.log_file())

    return server


def serve_stdio() -> int:
    """Serve the editor on stdin and stdout with the real completion service, until the editor ends
    it or goes away; returns the process's exit code."""
    logs.set_up()
    with stdio.own_streams() as (stdin, stdout):
        return stdio.serve(create_server(_real_service), stdin, stdout)


def _real_service(
    settings: Settings, on_state: Callable[[EngineState], None], workspace: EditorWorkspace
) -> Service:
    from lsp_server.completion.service import CompletionService  # late: `initialize` comes first

    return CompletionService(settings, on_state, workspace)


def _document_and_count(arguments: Sequence[Any]) -> tuple[str | None, int]:
    """The arguments of the commands about requests, both optional: a URI and how many."""
    document, count = (*arguments, None, None)[:2]
    return (document or None, count if isinstance(count, int) and count > 0 else 1)


def _section(tree: Any) -> Any:
    return tree[SECTION] if isinstance(tree, Mapping) and SECTION in tree else tree


def _is_of_other_servers(tree: Any) -> bool:
    """Whether no name in it is ours: Eglot sends all servers' settings to each of them."""
    ours = {SECTION, *(name.partition(".")[0] for name in settings_module.reference())}
    names = tree if isinstance(tree, Mapping) else {}
    return bool(names) and ours.isdisjoint(name.partition(".")[0] for name in names)


def _merge(below: Any, above: Any) -> Any:
    """Two trees of settings as one, in which `above` wins."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    merged = {**below, **above}
    return {
        **merged,
        **{key: _merge(below[key], above[key]) for key in below.keys() & above.keys()},
    }
