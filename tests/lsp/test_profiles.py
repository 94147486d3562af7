"""What the captured `initialize` params say about each client."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.lsp.profiles import Profile, profile_of
from tests.lsp.client import initialize_params

EXPECTED = {
    "neovim": Profile("Neovim", True, "snippet", False, False, True, True, True, False),
    "vscode": Profile("code-server", True, "plain", False, True, True, True, True, True),
    "helix": Profile(
        "helix", False, "plain", False, False, True, False, True, True, raw_newlines=True
    ),
    "emacs": Profile(
        "Eglot", False, "plain", False, False, True, False, True, True, shows_errors=True
    ),
    "kate": Profile("", False, "plain", True, False, False, False, True, False),
}


@pytest.mark.parametrize("editor", EXPECTED)
def test_each_editor_has_its_profile(editor: str) -> None:
    assert profile_of(initialize_params(editor)) == EXPECTED[editor]


def test_neovim_without_snippets_gets_first_lines() -> None:
    params = initialize_params("neovim")
    del params["capabilities"]["textDocument"]["completion"]["completionItem"]["snippetSupport"]
    assert profile_of(params).multiline == "first-line"


def test_documentation_is_plain_where_only_that_is_taken() -> None:
    params = initialize_params("neovim")
    item = params["capabilities"]["textDocument"]["completion"]["completionItem"]
    item["documentationFormat"] = ["plaintext"]
    assert not profile_of(params).markdown


@pytest.mark.parametrize(
    "params",
    [{}, {"capabilities": None, "clientInfo": None}, {"capabilities": {"textDocument": 3}}],
)
def test_anything_has_a_profile(params: dict[str, Any]) -> None:
    profile = profile_of(params)
    assert (profile.inline, profile.progress, profile.multiline) == (False, False, "plain")


@pytest.mark.parametrize("editor", EXPECTED)
def test_when_the_list_is_offered(editor: str) -> None:
    profile = profile_of(initialize_params(editor))
    assert profile.offers_list("always")
    assert not profile.offers_list("never")
    assert profile.offers_list("auto") is (editor not in ("neovim", "vscode"))
