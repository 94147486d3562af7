"""The settings as others read them: a JSON Schema, VS Code's configuration page, a Markdown table.

`python -m lsp_server.settings_schema` writes the latter two into a checkout of the project; tests
fail while they are not what it would write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from lsp_server.settings import NOT_FROM_EDITORS, Setting, groups, reference

SECTION = "coder-lsp"
ROOT = Path(__file__).parent.parent
VSCODE_PACKAGE = ROOT / "editors" / "vscode" / "package.json"
TABLES_PAGE = ROOT / "editors" / "SETTINGS.md"
TABLES_BEGIN, TABLES_END = "<!-- generated: make settings -->\n", "<!-- end -->\n"

_OWN = f"{SECTION}.command"
"""What VS Code's extension declares itself: how the server is started."""
_MACHINE = re.compile(r"model|engine\..*")
"""Settings that say who computes, and with what."""
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_IN_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of `config.toml`, and of what an editor sends."""
    top: dict[str, Any] = _object("Settings of coder-lsp.")
    for setting in reference().values():
        group, _, leaf = setting.name.rpartition(".")
        properties = top["properties"]
        if group:
            properties = properties.setdefault(group, _object(groups()[group]))["properties"]
        properties[leaf] = {**_type(setting), "description": setting.doc}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **top}


def vscode_properties() -> dict[str, Any]:
    """`contributes.configuration.properties` of an extension for VS Code.

    What no editor may set is left out. Who computes, and with what, is of scope `machine`: a
    workspace does not set it.
    """
    shown = [each for each in reference().values() if each.name not in NOT_FROM_EDITORS]
    return {
        f"{SECTION}.{setting.name}": {
            **_type(setting),
            "markdownDescription": setting.doc,
            "scope": "machine" if _MACHINE.fullmatch(setting.name) else "window",
            "order": order,
        }
        for order, setting in enumerate(shown)
    }


def with_vscode_properties(package: Mapping[str, Any]) -> dict[str, Any]:
    """The extension's package.json with the settings as they are now; what it declares itself
    stays."""
    ours = vscode_properties()
    contributes = package["contributes"]
    configuration = contributes["configuration"]
    own = {_OWN: configuration["properties"][_OWN]}
    configuration = {**configuration, "properties": {**own, **ours}}
    return {**package, "contributes": {**contributes, "configuration": configuration}}


def markdown() -> str:
    """Tables of all settings, one for each group."""
    return "\n".join(_table(group) for group in ("", *groups()))


def with_tables(page: str) -> str:
    """A page with the tables between its two marks. Raises ValueError where it has none."""
    before, _, rest = page.partition(TABLES_BEGIN)
    _, end, after = rest.partition(TABLES_END)
    if not end:
        raise ValueError(f"no {TABLES_BEGIN!r} and {TABLES_END!r} in the page")
    return f"{before}{TABLES_BEGIN}\n{markdown()}\n{TABLES_END}{after}"


def write() -> None:
    """Bring VS Code's package.json and the page of settings up to date."""
    package = json.loads(VSCODE_PACKAGE.read_text(encoding="utf-8"))
    VSCODE_PACKAGE.write_text(as_json(with_vscode_properties(package)), encoding="utf-8")
    page = TABLES_PAGE.read_text(encoding="utf-8")
    TABLES_PAGE.write_text(with_tables(page), encoding="utf-8")


def as_json(tree: Mapping[str, Any]) -> str:
    """JSON in the form of npm's own files."""
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _object(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }


def _type(setting: Setting) -> dict[str, Any]:
    """What its value may be, and what it is when not set."""
    default = {"default": setting.default}
    if get_origin(setting.type) is Literal:
        return {"type": "string", "enum": list(get_args(setting.type)), **default}
    if get_origin(setting.type) is list:
        return {"type": "array", "items": {"type": "string"}, **default}
    types = [_JSON_TYPES[each] for each in get_args(setting.type) or [setting.type]]
    return {"type": types if types[1:] else types[0], **setting.bounds, **default}


def _table(group: str) -> str:
    """The table of a group, with what it is about; without, of the settings in none."""
    settings = [each for each in reference().values() if each.name.rpartition(".")[0] == group]
    rows = [
        f"| `{each.name}` | {shown(each.default)} | {_type_in_words(each)} | {each.doc} |"
        for each in settings
    ]
    title = f"## {group}\n\n{groups()[group]}\n\n" if group else ""
    head = "| setting | default | value | what it does |\n| --- | --- | --- | --- |\n"
    return title + head + "\n".join(rows) + "\n"


def shown(value: Any) -> str:
    """A value as one would write it; nothing where there is none."""
    return (
        "" if value in (None, []) else str(value if isinstance(value, str) else json.dumps(value))
    )


def _type_in_words(setting: Setting) -> str:
    if get_origin(setting.type) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(setting.type))
    if get_origin(setting.type) is list:
        return "list of texts"
    [kind] = {*(get_args(setting.type) or [setting.type])} - {type(None)}
    bounds = setting.bounds
    if "maximum" in bounds:
        return f"{_IN_WORDS[kind]} from {bounds['minimum']} to {bounds['maximum']}"
    if "exclusiveMinimum" in bounds:
        return f"{_IN_WORDS[kind]} above {bounds['exclusiveMinimum']}"
    return _IN_WORDS[kind] + (f", at least {bounds['minimum']}" if bounds else "")


if __name__ == "__main__":
    write()
