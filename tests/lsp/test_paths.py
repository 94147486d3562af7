"""URIs as paths within the workspace."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.lsp.paths import folders_of, locate


@pytest.mark.parametrize(
    ("uri", "folders", "expected"),
    [
        ("file:///home/u/proj/src/a.py", ["file:///home/u/proj"], ("src/a.py", "proj")),
        ("file:///home/u/proj/src/a.py", ["file:///home/u/proj/"], ("src/a.py", "proj")),
        ("file:///home/u/proj/src/a.py", ["/home/u/proj"], ("src/a.py", "proj")),
        ("file:///home/u/project/a.py", ["file:///home/u/proj"], ("a.py", "")),
        ("file:///p/q/r/a.py", ["file:///p", "file:///p/q", "file:///p/q/s"], ("r/a.py", "q")),
        ("file:///p%20q/%E4%B8%AD.py", ["file:///p q"], ("中.py", "p q")),
        ("file:///p/100%25.py", ["file:///p"], ("100%.py", "p")),
        ("file:///p/a#b?c.py", ["file:///p"], ("a#b?c.py", "p")),
        ("file:///a.py", ["file:///"], ("a.py", "")),
        ("file:///c%3A/Users/u/p/x/a.py", ["file:///C:/Users/u/p"], ("x/a.py", "p")),
        ("file:///C:/Users/u/p/x/a.py", ["c:\\Users\\u\\p"], ("x/a.py", "p")),
        ("file://server/share/p/a.py", ["file://server/share/p"], ("a.py", "p")),
        ("file:///w/a.py", [], ("a.py", "")),
        ("untitled:Untitled-1", ["file:///w"], ("Untitled-1", "")),
        ("untitled:/w/new.py", ["file:///w"], ("new.py", "")),
        ("vscode-remote://host:1/w/s/a.py", ["vscode-remote://host:1/w"], ("s/a.py", "w")),
    ],
)
def test_places(uri: str, folders: list[str], expected: tuple[str, str]) -> None:
    assert locate(uri, folders) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            {"workspaceFolders": [{"uri": "file:///a"}, {"uri": "file:///b"}]},
            ["file:///a", "file:///b"],
        ),
        ({"workspaceFolders": None, "rootUri": "file:///a", "rootPath": "/a"}, ["file:///a"]),
        ({"workspaceFolders": [], "rootPath": "/a"}, ["/a"]),
        ({}, []),
    ],
)
def test_folders(params: dict[str, Any], expected: list[str]) -> None:
    assert folders_of(params) == expected
