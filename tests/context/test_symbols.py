"""Parsing what is odd, and finding what an import stands for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.context.languages import extract
from lsp_server.context.languages.table import LANGUAGES, PLAIN_TEXT, language_of
from lsp_server.context.lookup import Lookup
from lsp_server.context.symbols import parse, resolve
from lsp_server.context.types import FileSymbols, Import, Symbol, SymbolIndex
from tests.context.memory_index import MemoryIndex

WITH_SYMBOLS = [language for language in LANGUAGES if language.symbols]
NAMES = [language.name for language in WITH_SYMBOLS]
PIECES = st.sampled_from(
    [
        "class",
        "def",
        "fn",
        "func",
        "function",
        "struct",
        "impl",
        "import",
        "from",
        "export",
        "const",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        ":",
        ";",
        ",",
        ".",
        "=",
        "=>",
        "->",
        '"',
        "'",
        '"""',
        "/*",
        "*/",
        "//",
        "#",
        "\\",
        "\n",
        "\t",
        "\x00",
        "@",
        "$",
        "name",
        "Name",
        "self.x",
        "�",
        "é",
        "𝒳",
    ]
)


def dotted(imp: Import, path: str, index: MemoryIndex) -> list[str]:
    return resolve(language_of(path), imp, path, index)


@pytest.mark.parametrize("name", NAMES)
@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=60))
@settings(max_examples=40, deadline=None)
def test_any_text_is_parsed(name: str, pieces: list[str]) -> None:
    file = parse("some/file", " ".join(pieces), language_of("", name))
    assert (file.path, file.language) == ("some/file", name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "{" * 100_000,
        "a(" * 50_000 + ")" * 50_000,
        "class A { " * 20_000,
        "x" * 1_000_000,
        "x, " * 300_000,
        "\0" * 1000,
        "'" * 10_001,
        "/* " * 10_000,
    ],
    ids=["brackets", "braces", "calls", "classes", "word", "list", "nul", "quotes", "comments"],
)
def test_extreme_text_ends(name: str, text: str) -> None:
    start = time.monotonic()
    parse("file", text, language_of("", name))
    assert time.monotonic() - start < 30


def test_deeply_indented_python_is_read_down_to_a_depth() -> None:
    depth = 100
    text = "".join(f"{' ' * level}if x:\n" for level in range(depth)) + " " * depth + "y = 1\n"
    file = parse("a.py", "def before(): pass\n" + text, language_of("a.py"))
    assert [symbol.name for symbol in file.symbols] == ["before"]


def test_a_definition_within_six_conditions_is_found() -> None:
    text = "".join(f"{' ' * level}if x:\n" for level in range(6)) + " " * 6 + "def found(): pass\n"
    file = parse("a.py", text, language_of("a.py"))
    assert [symbol.name for symbol in file.symbols] == ["found"]


def test_what_has_no_unit_has_no_symbols() -> None:
    assert parse("a.txt", "def f(): pass", PLAIN_TEXT) == FileSymbols("a.txt", "plain-text")
    assert parse("a.sql", "create table x", language_of("a.sql")) == FileSymbols("a.sql", "sql")


def test_an_enormous_text_is_left_out() -> None:
    assert not parse("a.py", "x = 1\n" * 400_000, language_of("a.py")).symbols


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(extract, "PATIENCE", 100)
    extract.compiled.cache_clear()
    yield
    extract.compiled.cache_clear()


FUNCTIONS = "".join(f"def f{number}(a, b): ...\n" for number in range(2000))


def test_what_takes_too_long_is_given_up(no_patience: None) -> None:
    assert parse("a.py", FUNCTIONS, language_of("a.py")).symbols == ()


def test_time_that_others_have_the_processor_does_not_count(
    no_patience: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "thread_time", lambda: 0.0)
    found = parse("a.py", FUNCTIONS, language_of("a.py")).symbols
    assert [symbol.name for symbol in found] == [f"f{number}" for number in range(2000)]


def test_a_signature_is_cut() -> None:
    parameters = ", ".join(f"parameter_{number}: int" for number in range(50))
    (symbol,) = parse("a.py", f"def f({parameters}): pass", language_of("a.py")).symbols
    assert len(symbol.signature) == 240 and symbol.signature.endswith("…")


def test_a_header_in_cpp_is_read_as_that() -> None:
    (symbol,) = parse("a.h", "namespace x {\nclass A { int b; };\n}\n", language_of("a.h")).symbols
    assert (symbol.name, [member.name for member in symbol.members]) == ("A", ["b"])


def test_javascript_and_tsx_are_read_with_elements() -> None:
    text = "export class A { render() { return <div>{this.x}</div>; } }\nexport const b = 1;\n"
    for path in ("a.tsx", "a.jsx", "a.js"):
        names = [symbol.name for symbol in parse(path, text, language_of(path)).symbols]
        assert names == ["A", "b"]
    cast = "const a = <T>b;\nexport class C {}\n"
    assert [one.name for one in parse("a.ts", cast, language_of("a.ts")).symbols] == ["a", "C"]


def test_no_grammar_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys, lsp_server.context.symbols\n"
        "from lsp_server.context.languages.table import language_of\n"
        "language_of('a.py').symbols\n"
        "print([name for name in sys.modules if name.startswith('tree_sitter')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


PYTHON = MemoryIndex(
    {
        "src/app/__init__.py": "from .core import Engine as Motor, start\nfrom .extra import *\n",
        "src/app/core.py": "class Engine: pass\ndef start(): pass\n",
        "src/app/extra.py": "from .deep import hidden\ndef extra(): pass\n",
        "src/app/deep.py": "from .deeper import hidden\n",
        "src/app/deeper.py": "from .deepest import hidden\n",
        "src/app/deepest.py": "def hidden(): pass\n",
        "src/app/json.py": "def dump_nicely(): pass\n",
        "src/app/sub/__init__.py": "",
        "src/app/sub/leaf.py": "LEAF = 1\n",
        "src/app/stub.pyi": "def typed() -> int: ...\n",
        "src/tool.py": "def run(): pass\n",
        "other/app/core.py": "class Engine: pass\n",
        "main.py": "",
    }
)


@pytest.mark.parametrize(
    ("module", "name", "path", "expected"),
    [
        (".core", "Engine", "src/app/extra.py", "src/app/core.py"),
        ("..core", "Engine", "src/app/sub/leaf.py", "src/app/core.py"),
        (".", "core", "src/app/extra.py", "src/app/core.py"),
        ("..", "start", "src/app/sub/leaf.py", "src/app/__init__.py"),
        (".sub", "leaf", "src/app/core.py", "src/app/sub/leaf.py"),
        ("app.core", "Engine", "src/tool.py", "src/app/core.py"),
        ("app.core", "Engine", "other/run.py", "other/app/core.py"),
        ("app.sub.leaf", "", "main.py", "src/app/sub/leaf.py"),
        ("app", "sub", "main.py", "src/app/sub/__init__.py"),
        ("app", "*", "main.py", "src/app/__init__.py"),
        ("app.stub", "typed", "main.py", "src/app/stub.pyi"),
        ("tool", "run", "main.py", "src/tool.py"),
        ("json", "dumps", "main.py", None),
        ("json", "dump_nicely", "main.py", "src/app/json.py"),
        ("json", "", "main.py", None),
        (".....core", "Engine", "src/app/core.py", None),
        ("nowhere.at.all", "x", "main.py", None),
    ],
)
def test_python_imports(module: str, name: str, path: str, expected: str | None) -> None:
    found = dotted(Import(module, name, name, 0), path, PYTHON)
    assert found == ([expected] if expected else [])


def find_definition(name: str, paths: list[str], index: SymbolIndex) -> Symbol | None:
    lookup = Lookup(FileSymbols("", ""), index)
    found = (lookup.find(path, name) for path in paths)
    return next((value.symbol for value in found if value and value.symbol), None)


def test_definitions_are_found_through_reexports() -> None:
    package = ["src/app/__init__.py"]
    motor = find_definition("Motor", package, PYTHON)
    assert motor is not None and (motor.name, motor.path) == ("Engine", "src/app/core.py")
    extra = find_definition("extra", package, PYTHON)
    assert extra is not None and extra.path == "src/app/extra.py"
    hidden = find_definition("hidden", ["src/app/extra.py"], PYTHON)
    assert hidden is not None and hidden.path == "src/app/deepest.py"
    assert find_definition("hidden", package, PYTHON) is None  # four re-exports away
    assert find_definition("sub", package, PYTHON) is None


def test_imports_in_a_circle_end() -> None:
    index = MemoryIndex({"a.py": "from b import *\n", "b.py": "from a import *\nfrom b import x\n"})
    assert find_definition("x", ["a.py"], index) is None


TYPESCRIPT = MemoryIndex(
    {
        "src/client.ts": (
            "export default class Client {}\nexport { make as build };\nfunction make() {}\n"
        ),
        "src/index.ts": (
            "export { default as Client, build } from './client.js';\nexport * from './errors';\n"
        ),
        "src/errors/index.ts": "export class NetError {}\n",
        "src/view.tsx": "export function View() {}\n",
        "src/types.d.ts": "export interface Options {}\n",
        "src/style.config.ts": "export const style = 1;\n",
        "lib/legacy.js": "class Old {}\nmodule.exports = class Legacy {};\n",
        "packages/ui/button.ts": "export class Button {}\n",
    }
)


@pytest.mark.parametrize(
    ("module", "path", "expected"),
    [
        ("./client", "src/view.tsx", "src/client.ts"),
        ("./client.js", "src/view.tsx", "src/client.ts"),
        ("./errors", "src/view.tsx", "src/errors/index.ts"),
        ("..", "src/errors/index.ts", "src/index.ts"),
        (".", "src/view.tsx", "src/index.ts"),
        ("../lib/legacy", "src/view.tsx", "lib/legacy.js"),
        ("./types", "src/view.tsx", "src/types.d.ts"),
        ("./style.config", "src/view.tsx", "src/style.config.ts"),
        ("@/view", "src/client.ts", "src/view.tsx"),
        ("~/errors", "src/client.ts", "src/errors/index.ts"),
        ("@scope/ui/button", "src/client.ts", "packages/ui/button.ts"),
        ("react", "src/client.ts", None),
        ("../../../outside", "src/client.ts", None),
    ],
)
def test_typescript_imports(module: str, path: str, expected: str | None) -> None:
    found = dotted(Import(module, "x", "x", 0), path, TYPESCRIPT)
    assert found == ([expected] if expected else [])


def test_typescript_exports_are_followed() -> None:
    for name, symbol in (("Client", "Client"), ("build", "make"), ("NetError", "NetError")):
        found = find_definition(name, ["src/index.ts"], TYPESCRIPT)
        assert found is not None and found.name == symbol
    default = find_definition("default", ["src/client.ts"], TYPESCRIPT)
    assert default is not None and default.name == "Client"


OTHERS = MemoryIndex(
    {
        "src/main/java/com/acme/net/Client.java": "class Client { class In {} }",
        "src/main/java/com/acme/net/Pool.java": "class Pool {}",
        "go/internal/cache/cache.go": "package cache\ntype Entry struct{}\n",
        "go/internal/cache/more.go": "package cache\n",
        "go/internal/cache/cache_test.go": "package cache\n",
        "go/json/own.go": "package json\n",
        "core/src/lib.rs": "mod net; pub struct Root;",
        "core/src/net/mod.rs": "pub struct Net; mod tcp;",
        "core/src/net/tcp.rs": "pub struct Tcp;",
        "core/src/config.rs": "pub struct Config;",
        "my-util/src/lib.rs": "pub mod text;",
        "my-util/src/text.rs": "pub fn upper() {}",
        "c/include/net/socket.h": "int open_socket(void);",
        "c/src/socket.h": "int local_socket(void);",
        "c/src/main.c": "",
        "app/Models/User.php": "<?php class User {}",
        "kt/com/acme/User.kt": "class User",
        "kt/com/acme/Extensions.kt": "fun String.shout() = this",
        "sc/com/acme/Item.scala": "class Item",
        "rb/lib/base.rb": "class Base\nend\n",
        "rb/app/main.rb": "",
        "lua/app/util.lua": "",
        "lua/app/pool/init.lua": "",
        "sh/lib/common.sh": "",
        "Some.cs": "class Some {}",
    }
)
GO_CACHE = ["go/internal/cache/cache.go", "go/internal/cache/more.go"]
ACME = [f"src/main/java/com/acme/net/{name}.java" for name in ("Client", "Pool")]


@pytest.mark.parametrize(
    ("path", "module", "name", "expected"),
    [
        ("A.java", "com.acme.net", "Client", ACME[:1]),
        ("A.java", "com.acme.net.Client", "In", ACME[:1]),
        ("A.java", "com.acme.net.Client", "*", ACME[:1]),
        ("A.java", "com.acme.net", "*", ACME),
        ("A.java", "java.util", "List", []),
        ("go/main.go", "example.com/x/internal/cache", "", GO_CACHE),
        ("go/main.go", "encoding/json", "", []),
        ("core/src/net/tcp.rs", "crate::config", "Config", ["core/src/config.rs"]),
        ("core/src/net/tcp.rs", "crate::net", "*", ["core/src/net/mod.rs"]),
        ("core/src/net/tcp.rs", "crate", "Root", ["core/src/lib.rs"]),
        ("core/src/net/tcp.rs", "super", "Net", ["core/src/net/mod.rs"]),
        ("core/src/net/tcp.rs", "super::super::config", "Config", ["core/src/config.rs"]),
        ("core/src/net/mod.rs", "self", "tcp", ["core/src/net/tcp.rs"]),
        ("core/src/lib.rs", "net::tcp", "Tcp", ["core/src/net/tcp.rs"]),
        ("core/src/lib.rs", "my_util::text", "upper", ["my-util/src/text.rs"]),
        ("core/src/lib.rs", "std::collections", "HashMap", []),
        ("c/src/main.c", "socket.h", "*", ["c/src/socket.h"]),
        ("c/src/main.c", "net/socket.h", "*", ["c/include/net/socket.h"]),
        ("c/src/main.c", "../include/net/socket.h", "*", ["c/include/net/socket.h"]),
        ("c/src/main.c", "stdio.h", "*", []),
        ("x.php", "App\\Models", "User", ["app/Models/User.php"]),
        ("x.kt", "com.acme", "User", ["kt/com/acme/User.kt"]),
        ("x.kt", "com.acme", "shout", ["kt/com/acme/Extensions.kt", "kt/com/acme/User.kt"]),
        ("x.scala", "com.acme", "Item", ["sc/com/acme/Item.scala"]),
        ("rb/app/main.rb", "../lib/base", "*", ["rb/lib/base.rb"]),
        ("rb/app/main.rb", "lib/base", "*", ["rb/lib/base.rb"]),
        ("lua/main.lua", "app.util", "", ["lua/app/util.lua"]),
        ("lua/main.lua", "app.pool", "", ["lua/app/pool/init.lua"]),
        ("sh/run.sh", "./lib/common.sh", "*", ["sh/lib/common.sh"]),
        ("Other.cs", "Acme.Net", "*", []),
        ("x.swift", "Foundation", "*", []),
        ("notes.txt", "com.acme", "User", []),
    ],
)
def test_other_imports(path: str, module: str, name: str, expected: list[str]) -> None:
    assert dotted(Import(module, name, name, 0), path, OTHERS) == expected


@pytest.mark.parametrize("name", NAMES)
@given(
    module=st.text(alphabet="ab./\\:@~-*_ ", max_size=12), imported=st.sampled_from(["", "*", "x"])
)
@settings(max_examples=40, deadline=None)
def test_any_import_is_resolved_to_files(name: str, module: str, imported: str) -> None:
    language = language_of("", name)
    for path in ("main.py", "core/src/lib.rs"):
        for found in resolve(language, Import(module, imported, "", 0), path, OTHERS):
            assert OTHERS.exists(found) or found == path
