"""The server through pytest-lsp, which checks what it sends against the client's capabilities."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types
from lsprotocol.converters import get_converter

from tests.lsp.client import EDITORS, FAKE_SERVER, initialize_params, isolated_environment, within

URI = "file:///workspace/a.py"


@pytest.fixture(params=EDITORS)
async def client(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[pytest_lsp.LanguageClient]:
    config = pytest_lsp.ClientServerConfig(
        server_command=list(FAKE_SERVER), server_env=isolated_environment(tmp_path)
    )
    session = await config.start()
    assert isinstance(session, pytest_lsp.LanguageClient)
    params = get_converter().structure(initialize_params(request.param), types.InitializeParams)
    await within(session.initialize_session(params))
    yield session
    await within(session.shutdown_session())
    await session.stop()  # type: ignore[no-untyped-call]


# Helix, Eglot and Kate do not name the formats they take; they read plain strings as Markdown too.
@pytest.mark.filterwarnings("ignore:Client does not support documentation format")
async def test_a_session(client: pytest_lsp.LanguageClient) -> None:
    document = types.TextDocumentItem(URI, "python", 1, "import os\r\nos.")
    client.text_document_did_open(types.DidOpenTextDocumentParams(document))
    typed = types.TextDocumentContentChangePartial(
        types.Range(types.Position(1, 3), types.Position(1, 3)), "pa"
    )
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(2, URI), [typed])
    )
    cursor = types.Position(1, 5)
    identifier = types.TextDocumentIdentifier(URI)
    assert client.capabilities is not None
    capabilities = client.capabilities.text_document
    assert capabilities is not None
    if capabilities.inline_completion is not None:
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
        inline = await within(
            client.text_document_inline_completion_async(
                types.InlineCompletionParams(context, identifier, cursor)
            )
        )
        assert [each.insert_text for each in inline.items] == ["suggested()"]
    else:
        result = await within(
            client.text_document_completion_async(types.CompletionParams(identifier, cursor))
        )
        assert [each.text_edit.new_text for each in result.items] == ["pasuggested()"]
    assert client.messages == []
