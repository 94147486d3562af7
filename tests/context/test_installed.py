import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from lsp_server.context import installed
from lsp_server.context.assembly import choose
from lsp_server.context.installed import Installed
from lsp_server.context.privacy import Privacy
from lsp_server.context.steadiness import Chosen
from lsp_server.context.types import Cursor, Window
from tests.context.memory_index import MemoryIndex

HTTPX = {
    "httpx/__init__.py": "from ._client import *\nfrom ._models import Response\n",
    "httpx/_client.py": "from ._models import Response\n__all__ = ['Client']\n"
    "class Base:\n    def close(self): ...\n"
    "class Client(Base):\n    def get(self, url) -> Response: ...\n",
    "httpx/_models.py": "class Response:\n    def json(self): ...\n",
}
WORKSPACE = {"other.py": "class Other:\n    def of_the_workspace(self): ...\n"}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def site_packages(root: Path, files: Mapping[str, str]) -> Path:
    folder = root / ".venv/lib/python3.12/site-packages"
    write(folder, files)
    (root / ".venv/pyvenv.cfg").write_text("")
    return folder


def nothing() -> list[Window]:
    return []


def count(text: str) -> int:
    return len(text) // 4 + 1


class Project:
    """A workspace folder with packages."""

    def __init__(
        self, root: Path, privacy: Privacy | None = None, workspace: Mapping[str, str] = WORKSPACE
    ) -> None:
        self.installed = Installed(root, privacy or Privacy(), {})
        self.index = MemoryIndex(workspace)

    def chosen(
        self,
        text: str,
        path: str = "app.py",
        previous: Chosen | None = None,
        deadline: float | None = None,
    ) -> Chosen:
        prefix, _, suffix = text.partition("|")
        language = "python" if path.endswith(".py") else "typescript"
        return choose(
            Cursor(path, language, prefix, suffix),
            self.index,
            nothing,
            512,
            count,
            previous,
            packages=self.installed.packages(path, language, deadline),
        )

    def shown(self, text: str, path: str = "app.py", deadline: float | None = None) -> str:
        """The chosen snippets as text, each with its path."""
        snippets = self.chosen(text, path, deadline=deadline).snippets
        return "".join(f"# {each.path}\n{each.text}" for each in snippets)


@pytest.mark.parametrize(
    "text",
    [
        "import httpx\ndef f(client: httpx.Client):\n    client.|",
        "from httpx import Client\nwith Client() as client:\n    client.|",
        "import httpx as h\nclient = h.Client()\nclient.|",
        "from httpx import _client\n_client.Client().|",
        "import httpx._client\nhttpx._client.Client().|",
    ],
)
def test_a_receiver_of_an_installed_class(tmp_path: Path, text: str) -> None:
    site_packages(tmp_path, HTTPX)
    found = Project(tmp_path).shown(text)
    assert found.startswith("# httpx/_client.py\n")
    assert "class Client(Base):\n    def get(self, url) -> Response: ..." in found
    assert "def close(self)" in found


def test_return_types_and_modules(tmp_path: Path) -> None:
    site_packages(tmp_path, HTTPX)
    project = Project(tmp_path)
    assert "def json(self)" in project.shown("import httpx\nhttpx.Client().get('x').|")
    assert "class Response" in project.shown("import httpx\nhttpx.|")


def test_the_workspace_wins(tmp_path: Path) -> None:
    site_packages(tmp_path, HTTPX)
    own = {"src/httpx/__init__.py": "class Client:\n    def mine(self): ...\n"}
    found = Project(tmp_path, workspace=own).shown("from httpx import Client\nClient().|")
    assert found.startswith("# src/httpx/__init__.py\n")
    assert "_client.py" not in found


def test_weak_evidence_is_for_the_workspace_first(tmp_path: Path) -> None:
    site_packages(tmp_path, {"foreign.py": "class Foreign:\n    def method(self): ...\n"})
    found = Project(tmp_path).chosen("from foreign import Foreign\nfrom other import Other\n\n|")
    assert [each.path for each in found.snippets] == ["other.py", "foreign.py"]


def test_stubs_come_before_sources(tmp_path: Path) -> None:
    packages = {
        "a/__init__.py": "def f(x): ...\n",
        "a/__init__.pyi": "def f(x: int) -> B: ...\nfrom .inner import B\n",
        "a/inner.py": "class B:\n    def untyped(self): ...\n",
        "a/inner.pyi": "class B:\n    def typed(self) -> int: ...\n",
        "yaml/__init__.py": "def load(stream): ...\n",
        "yaml-stubs/__init__.pyi": "def load(stream: str) -> object: ...\n",
        "six.py": "def u(s): ...\n",
        "six-stubs/__init__.pyi": "def u(s: str) -> str: ...\n",
    }
    site_packages(tmp_path, packages)
    project = Project(tmp_path)
    assert "def typed(self)" in project.shown("import a\na.f(1).|")
    assert "# yaml/__init__.pyi\ndef load(stream: str)" in project.shown("import yaml\nyaml.load(|")
    assert "def u(s: str)" in project.shown("import six\nsix.u(|")


def test_editable_installs(tmp_path: Path) -> None:
    text = "import m\nm.C().|"
    folder = site_packages(tmp_path / "root", {"six.py": ""})
    write(tmp_path / "other/src", {"m.py": "class C:\n    def of_other(self): ...\n"})
    project = Project(tmp_path / "root")
    assert project.shown(text) == ""
    write(
        folder, {"__editable__.m-1.pth": f"# x\nimport m; m.run()\n\n{tmp_path}/other/src\nnone\n"}
    )
    assert "# m.py\nclass C:\n    def of_other(self)" in project.shown(text)
    write(folder, {"m.py": "class C:\n    def of_environment(self): ...\n"})
    assert "of_environment" in project.shown(text)


def test_editable_installs_do_not_show_what_the_workspace_leaves_out(tmp_path: Path) -> None:
    root = tmp_path / "project"
    left_out = {"src/m.py": "class C:\n    def hidden(self): ...\n"}
    write(root, left_out)
    folder = site_packages(root, {"a.pth": f"{root}/src\n{root}/../project/src\n../../../../src\n"})
    write(folder, {"b.pth": f"{root}\n{tmp_path}\n"})
    project = Project(root)
    for module in ("m", "src.m", "project.src.m"):
        assert "hidden" not in project.shown(f"import {module}\n{module}.C().|")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0\n", b"", b"a" * 5000, b"\n/\0\n"])
def test_odd_path_files(tmp_path: Path, content: bytes) -> None:
    folder = site_packages(tmp_path, {"m.py": "class C:\n    def run(self): ...\n"})
    (folder / "odd.pth").write_bytes(content)
    assert "def run(self)" in Project(tmp_path).shown("import m\nm.C().|")


def test_the_nearest_environment_else_the_active_one(tmp_path: Path) -> None:
    text = "import m\nm.C().|"
    active = tmp_path / "active"
    site_packages(active, {"m.py": "class C:\n    def of_active(self): ...\n"})
    root = tmp_path / "root"
    project = Project(root)
    assert project.shown(text) == ""
    project.installed = Installed(root, Privacy(), {"VIRTUAL_ENV": str(active / ".venv")})
    assert "of_active" in project.shown(text)
    site_packages(root, {"m.py": "class C:\n    def of_root(self): ...\n"})
    assert "of_root" in project.shown(text)
    site_packages(root / "sub", {"m.py": "class C:\n    def of_sub(self): ...\n"})
    assert "of_sub" in project.shown(text, "sub/app.py")
    assert "of_root" in project.shown(text)


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_packages(tmp_path, HTTPX)
    project = Project(tmp_path)
    text = "from httpx._models import Response\nResponse().|"
    assert "def json" in project.shown(text)
    with monkeypatch.context() as patched:
        patched.setattr(installed, "read_text", lambda *_: pytest.fail("read twice"))
        assert "def json" in project.shown(text)
    (site / "httpx/_models.py").write_text("class Response:\n    def renamed(self): ...\n")
    assert "def renamed" in project.shown(text)


def test_no_more_is_kept_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "FILES_KEPT", 2)
    site_packages(tmp_path, {f"m{i}.py": f"class C{i}: ...\n" for i in range(5)})
    project = Project(tmp_path)
    for i in range(5):
        assert f"class C{i}" in project.shown(f"from m{i} import C{i}\nC{i}(|")
    assert len(project.installed._kept) == 2


def test_a_request_parses_a_bounded_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "PARSED_PER_REQUEST", 3)
    site_packages(tmp_path, {f"m{i}.py": f"class C{i}: ...\n" for i in range(9)})
    monkeypatch.setattr(Installed, "parse_later", lambda *_: None)
    imports = "".join(f"from m{i} import C{i}\n" for i in range(9))
    assert Project(tmp_path).shown(imports + "\n|").count("class C") == 3


def test_what_there_is_no_time_for_is_there_next_time(tmp_path: Path) -> None:
    site_packages(tmp_path, HTTPX)
    project = Project(tmp_path)
    text = "from httpx._models import Response\nResponse().|"
    late = time.monotonic() - 1
    assert project.shown(text, deadline=late) == ""
    limit = time.monotonic() + 20
    while not (found := project.shown(text, deadline=late)) and time.monotonic() < limit:
        time.sleep(0.01)
    assert "def json" in found
    project.installed.close()
    assert project.shown("from httpx import _client\n_client.|", deadline=late) == ""


def test_a_choice_of_installed_definitions_is_kept_while_they_are_there(tmp_path: Path) -> None:
    site = site_packages(tmp_path, HTTPX)
    project = Project(tmp_path)
    text = "from httpx._models import Response\n\nx = |"
    first = project.chosen(text)
    assert project.chosen(text.replace("x", "xy"), previous=first) is first
    (site / "httpx/_models.py").write_text("class Response:\n    def json(self, **more): ...\n")
    assert "**more" in project.chosen(text, previous=first).snippets[0].text


def test_private_files_are_not_shown(tmp_path: Path) -> None:
    key = '"""-----BEGIN RSA PRIVATE KEY-----"""\nclass K:\n    def canary(self): ...\n'
    plain = "class C:\n    def canary(self): ...\n"
    site_packages(tmp_path, {"key.py": key, "mine/a.py": plain, "b.py": plain})
    project = Project(tmp_path, Privacy(not_shared=("mine/",), never=("**/site-packages/b.py",)))
    assert "canary" not in project.shown("from key import K\nK().|")
    assert "canary" not in project.shown("from mine.a import C\nC().|")
    assert "canary" not in project.shown("from b import C\nC().|")
    assert "canary" in Project(tmp_path).shown("from b import C\nC().|")


def test_too_large_and_binary_files_are_left_out(tmp_path: Path) -> None:
    large = "class C: ...\n" + "# a line of a comment\n" * 60_000
    site_packages(tmp_path, {"large.py": large, "binary.py": "class C: ...\n\0"})
    project = Project(tmp_path)
    assert project.shown("from large import C\nC(|") == ""
    assert project.shown("from binary import C\nC(|") == ""


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_nothing_outside_of_the_packages_folder_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, {"outside/secret.py": "class C:\n    def canary(self): ...\n"})
    site = site_packages(root, HTTPX)
    (site / "file.py").symlink_to(tmp_path / "outside/secret.py")
    (site / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    project = Project(root)
    assert project.shown("from file import C\nC().|") == ""
    assert project.shown("from folder.secret import C\nC().|") == ""
    assert project.shown("from httpx import secret\nfrom ....outside import secret\nsecret.|") == ""

    other = tmp_path / "other"
    (other / ".venv/lib/python3.12").mkdir(parents=True)
    (other / ".venv/pyvenv.cfg").write_text("")
    link = other / ".venv/lib/python3.12/site-packages"
    link.symlink_to(tmp_path / "outside", target_is_directory=True)
    assert Project(other).shown("from secret import C\nC().|") == ""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that bind")
def test_unreadable_folders_are_passed_over(tmp_path: Path) -> None:
    site_packages(tmp_path, HTTPX)
    site_packages(tmp_path / "inner", HTTPX)
    (tmp_path / "inner/.venv").chmod(0)
    try:
        found = Project(tmp_path).shown("import httpx\nhttpx.Client().|", "inner/app.py")
    finally:
        (tmp_path / "inner/.venv").chmod(0o700)
    assert "class Client" in found


def modules(root: Path, files: Mapping[str, str]) -> Project:
    write(root / "node_modules", files)
    return Project(root)


API = "export declare class Api {\n  load(id: string): User;\n}\n"
USER = "export interface User {\n  rename(name: string): void;\n}\n"


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        ('{"types": "./lib/api.d.ts"}', "lib/api.d.ts"),
        ('{"typings": "lib/api"}', "lib/api.d.ts"),
        ('{"main": "lib/api.js"}', "lib/api.d.ts"),
        ("{}", "index.d.ts"),
        ("not json", "index.d.ts"),
        ('{"exports": "./lib/api.js", "types": "wrong.d.ts"}', "lib/api.d.ts"),
        ('{"exports": {".": {"import": {"types": "./lib/api.d.mts"}}}}', "lib/api.d.mts"),
        ('{"exports": {"require": "./lib/api.cjs"}}', "lib/api.d.cts"),
    ],
)
def test_where_a_package_says_its_types_are(tmp_path: Path, manifest: str, path: str) -> None:
    project = modules(tmp_path, {"pkg/package.json": manifest, f"pkg/{path}": API})
    found = project.shown('import { Api } from "pkg";\nconst api = new Api();\napi.|', "src/app.ts")
    assert found.startswith(f"# pkg/{path}\n")
    assert "load(id: string)" in found


def test_modules_inside_packages_and_scopes(tmp_path: Path) -> None:
    manifest = '{"exports": {"./features/*": {"types": "./types/*.d.ts"}}}'
    files = {
        "@org/pkg/package.json": manifest,
        "@org/pkg/types/api.d.ts": 'import { User } from "./user.js";\n' + API,
        "@org/pkg/types/user.d.ts": USER,
        "plain/sub.d.ts": API.replace("Api", "Sub"),
    }
    project = modules(tmp_path, files)
    head = 'import { Api } from "@org/pkg/features/api";\nconst api = new Api();\n'
    assert "load(id: string)" in project.shown(head + "api.|", "app.ts")
    assert "rename(name: string)" in project.shown(head + "api.load('x').|", "app.ts")
    assert "class Sub" in project.shown('import { Sub } from "plain/sub";\nnew Sub().|', "app.ts")


def test_types_of_packages_without_their_own(tmp_path: Path) -> None:
    react = "export = React;\ndeclare namespace React {\n  function useState(x: any): any;\n}\n"
    project = modules(tmp_path, {"@types/react/index.d.ts": react, "react/index.js": "x"})
    for head in ('import React from "react";\n', 'import * as React from "react";\n'):
        found = project.shown(head + "React.|", "src/deep/app.tsx")
        assert found.startswith("# @types/react/index.d.ts\n")
        assert "useState" in found


def test_reexports_of_declarations(tmp_path: Path) -> None:
    files = {"pkg/index.d.ts": 'export * from "./api";\n', "pkg/api.d.ts": API}
    project = modules(tmp_path, files)
    assert "class Api" in project.shown('import { Api } from "pkg";\nnew Api().|', "app.ts")


def test_a_package_cannot_name_files_outside_of_itself(tmp_path: Path) -> None:
    write(tmp_path, {"secret.d.ts": API})
    files = {"pkg/package.json": '{"types": "../../secret.d.ts"}', "pkg/index.d.ts": USER}
    project = modules(tmp_path, files)
    assert project.shown('import { Api } from "pkg";\nnew Api().|', "app.ts") == ""
    assert project.shown('import { Api } from "../pkg/../../secret";\nnew Api().|', "a.ts") == ""
