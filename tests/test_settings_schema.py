from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lsp_server import settings_schema
from lsp_server.settings import NOT_FROM_EDITORS, load, reference
from lsp_server.settings_schema import schema, vscode_properties

VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    0.5,
    1.5,
    -1,
    2.0,
    "",
    "auto",
    "info",
    "psm",
    [],
    ["a"],
    [1],
    {},
]
DOWNLOADS_OR_SENDS = {"model", "engine.url", "engine.remote_model", "engine.device"}


def is_valid(tree: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft7Validator(schema()).is_valid(tree))


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODER_LSP_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("name", [name for name in reference() if name != "engine.url"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_it_takes_what_the_settings_take(user_file: Path, name: str, value: Any) -> None:
    tree = {name: value}
    if "." in name:
        group, _, leaf = name.partition(".")
        tree = {group: {leaf: value}}
    _, problems = load(tree)
    is_wrong = any(f"{name} is {value!r}, expected" in problem for problem in problems)
    assert is_valid(tree) is not is_wrong


@pytest.mark.parametrize("tree", [{"modle": "a"}, {"engine": {"colour": 1}}, {"engine": "auto"}])
def test_it_knows_no_other_names(tree: dict[str, Any]) -> None:
    assert not is_valid(tree)


def test_every_default_is_valid_and_described() -> None:
    tree = schema()
    for name, setting in reference().items():
        *group, leaf = name.split(".")
        properties = tree["properties"]
        if group:
            assert properties[group[0]]["description"]
            properties = properties[group[0]]["properties"]
        declared = properties[leaf]
        assert declared["default"] == setting.default
        assert declared["description"] == setting.doc
        assert setting.doc.endswith(".")
        jsonschema.Draft7Validator(declared).validate(setting.default)


# VS Code.


def test_a_workspace_sets_nothing_that_fetches_or_sends() -> None:
    properties = vscode_properties()
    for name in DOWNLOADS_OR_SENDS | {name for name in reference() if name.startswith("engine.")}:
        if name not in NOT_FROM_EDITORS:
            assert properties[f"coder-lsp.{name}"]["scope"] == "machine"


def test_its_page_has_all_but_what_editors_may_not_set() -> None:
    shown = [name.removeprefix("coder-lsp.") for name in vscode_properties()]
    assert shown == [name for name in reference() if name not in NOT_FROM_EDITORS]


def test_what_an_extension_declares_itself_stays() -> None:
    own = {"type": "string", "scope": "machine"}
    properties = {
        "coder-lsp.command": own,
        "coder-lsp.model": own,
        "coder-lsp.gone": {"type": "string", "scope": "window"},
        "coder-lsp.engine.gone": own,
    }
    package = {
        "name": "x",
        "contributes": {"commands": [], "configuration": {"title": "t", "properties": properties}},
    }
    written = settings_schema.with_vscode_properties(package)
    assert written == {
        "name": "x",
        "contributes": {
            "commands": [],
            "configuration": {
                "title": "t",
                "properties": {"coder-lsp.command": own, **vscode_properties()},
            },
        },
    }
    assert settings_schema.with_vscode_properties(written) == written


# What is checked in.


def test_vs_codes_page_is_up_to_date() -> None:
    text = settings_schema.VSCODE_PACKAGE.read_text(encoding="utf-8")
    assert text == settings_schema.as_json(settings_schema.with_vscode_properties(json.loads(text)))


def test_the_page_of_settings_is_up_to_date() -> None:
    page = settings_schema.TABLES_PAGE.read_text(encoding="utf-8")
    assert page == settings_schema.with_tables(page)


def test_the_tables_have_every_setting() -> None:
    rows = [line.split(" | ") for line in settings_schema.markdown().split("\n")]
    listed = {row[0].removeprefix("| "): row[1:] for row in rows if row[0].startswith("| `")}
    assert list(listed) == [f"`{name}`" for name in reference()]
    assert listed["`engine.device`"][:2] == ["auto", "`auto`, `cpu`, `cuda`"]
    assert listed["`engine.url`"][:2] == ["", "text"]
    assert listed["`engine.threads`"][:2] == ["", "whole number, at least 1"]
    assert listed["`engine.idle_minutes`"][:2] == ["30.0", "number above 0"]
    assert listed["`completion.min_confidence`"][:2] == ["0.0", "number from 0 to 1"]
    assert listed["`completion.before_text`"][:2] == ["false", "true or false"]
    assert listed["`context.exclude`"][:2] == ["", "list of texts"]


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="generated"):
        settings_schema.with_tables("# Settings\n")
