import pytest

from lsp_server.context.buffer import Buffer
from lsp_server.context.definitions import Candidate, candidates
from lsp_server.context.languages.table import language_of
from lsp_server.context.resolution import Resolver
from lsp_server.context.types import Cursor, Symbol
from tests.context.memory_index import MemoryIndex

CLIENT = """
class Base:
    def close(self): ...

class Client(Base):
    def __init__(self, session: "Session"):
        self.session = session
    def get(self, url) -> "Response": ...

class Response:
    def json(self): ...

class Session:
    def send(self, response): ...

def make(url) -> Client: ...

DEFAULT = Client(None)
"""
FILES = {
    "pkg/__init__.py": "from .client import Client, make\n",
    "pkg/client.py": CLIENT,
    "pkg/unrelated.py": "class Unrelated:\n    def close(self): ...\n",
}


def ranked(text: str, files: dict[str, str] | None = None, path: str = "app.py") -> list[Candidate]:
    """Candidates for the cursor at the text's `|`, in a workspace of these files."""
    prefix, _, suffix = text.partition("|")
    language = language_of(path).name
    index = MemoryIndex(files or FILES)
    resolver = Resolver(Buffer(Cursor(path, language, prefix, suffix)), index)
    return candidates(resolver, lambda symbol: False)


def best(text: str, files: dict[str, str] | None = None, path: str = "app.py") -> str | None:
    """The name of the best candidate."""
    found = ranked(text, files, path)
    return found[0].symbol.name if found and found[0].symbol else None


def test_receiver_through_a_reexport_and_a_return_type() -> None:
    assert best("from pkg import make\nmake('x').get('y').|") == "Response"


def test_receiver_by_annotation_assignment_with_and_loop() -> None:
    head = "from pkg.client import Client, Response, make\n"
    assert best(head + "def f(c: Client):\n    c.|") == "Client"
    assert best(head + "c = make(1)\nc.|") == "Client"
    assert best(head + "with make(1) as c:\n    c.|") == "Client"
    assert (
        best(head + "def f(all: list[Response]):\n    for one in all:\n        one.|") == "Response"
    )


def test_an_imported_name_that_many_files_define() -> None:
    class OfSome(MemoryIndex):
        def named(self, name: str) -> list[Symbol]:
            return super().named(name)[:20]

    files = {f"m{number:02}.py": "class Meta:\n    x = 1\n" for number in range(40)}
    buffer = Buffer(Cursor("app.py", "python", "from m39 import Meta\nMeta.", ""))
    [first, *_] = candidates(Resolver(buffer, OfSome(files)), lambda symbol: False)
    assert (first.path, first.reason) == ("m39.py", "receiver")


def test_two_hops_through_modules() -> None:
    assert best("import pkg.client\npkg.client.Session().|") == "Session"
    assert best("import pkg\npkg.client.Session().|") == "Session"
    assert best("from pkg import client as c\nc.DEFAULT.|") == "Client"


def test_two_hops_through_attributes_and_constructors() -> None:
    assert best("from pkg import make\nc = make(1)\nc.session.|") == "Session"
    text = "from pkg import Client\nclass A(Client):\n    def f(self):\n        self.session.|"
    assert best(text) == "Session"


def test_bases_of_the_receiver_follow_it() -> None:
    found = ranked("from pkg import make\nc = make(1)\nc.|")
    assert [(each.symbol.name, each.reason) for each in found[:2] if each.symbol] == [
        ("Client", "receiver"),
        ("Base", "base of the receiver"),
    ]
    assert found[0].score >= 100 > found[1].score >= 80


def test_nearest_assignment_wins_and_reads_what_was_before_it() -> None:
    head = "from pkg.client import Client, Session, make\n"
    assert best(head + "x = Session()\nx = make(1)\nx.|") == "Client"
    assert best(head + "x = make(1)\nx = Session()\nx.|") == "Session"
    assert best(head + "x = make(1)\nx = x.get('u')\nx.|") == "Response"


@pytest.mark.parametrize(
    "text",
    [
        "def f(all: dict[Session, Response]):\n    for one in all.values():\n        one.|",
        "def f(all: dict[str, Response]):\n    for key, one in all.items():\n        one.|",
        "def f(all: Mapping[Session, Response]):\n    all['a'].|",
        "def f(all: dict[str, Response]):\n    one = all.get('a')\n    one.|",
        "def f(all: list[Response]):\n    for i, one in enumerate(all):\n        one.|",
        "def f(all: list[Response]):\n    for one in sorted(all, key=len):\n        one.|",
        "def f(all: list[Response]):\n    all.pop().|",
        "def f(one: Optional[Response]):\n    one.|",
        "def f(one: Response | None = None):\n    one.|",
        "class A:\n    def __init__(self, all: list[Response]):\n        self.all = all\n"
        "    def f(self):\n        for one in self.all:\n            one.|",
        "class A:\n    all: dict[str, Response]\n"
        "    def f(self):\n        return [one.| for one in self.all.values()]",
    ],
)
def test_elements_of_containers(text: str) -> None:
    assert best("from pkg.client import Response, Session\n" + text) == "Response"


def test_a_method_of_a_class_that_is_not_wholly_known_is_no_containers() -> None:
    files = {"a.py": "import unknown\nclass Own(unknown.Base): ...\nclass Whole: ...\n"}
    head = "from a import Own, Whole\ndef f(own: Own, whole: list[Whole]):\n    "
    assert best(head + "whole.pop().|", files) == "Whole"
    assert all(each.score < 100 for each in ranked(head + "own.get().|", files))


def test_all_parameters_have_their_types() -> None:
    head = "from pkg.client import Client, Response, Session\n"
    head += "def f(a: Client, b: dict[str, list[Session]], *, c: 'Response'):\n    "
    assert best(head + "a.|") == "Client"
    assert best(head + "b['x'].|") == "Session"
    assert best(head + "c.|") == "Response"


def test_a_type_by_its_module_or_outer_class() -> None:
    files = {"pkg/a.py": "class A:\n    class Inner: ...\n", "b.py": "class A: ...\n"}
    head = "import pkg.a\nfrom pkg import a\nfrom b import A\n"
    found = ranked(head + "def f(x: a.A):\n    x.|", files)
    assert found[0].path == "pkg/a.py"
    assert best(head + "def f(x: a.A.Inner):\n    x.|", files) == "Inner"
    found = ranked(head + "def f(x: pkg.a.A):\n    x.|", files)
    assert found[0].path == "pkg/a.py"


def test_a_type_named_alone_before_the_dot() -> None:
    assert best("Unrelated.|") == "Unrelated"


def test_super_and_self_give_the_bases() -> None:
    head = "from pkg import Client\nclass A(Client):\n    def f(self):\n        "
    assert best(head + "super().|") == "Client"
    assert best(head + "self.|") == "Client"


def test_callee_counts_less_than_a_receiver_and_more_than_names() -> None:
    found = ranked("from pkg import make, Client\nc: Client\nmake(c.|")
    names = [each.symbol.name for each in found if each.symbol]
    assert names[0] == "Client"
    assert names.index("make") > 0
    assert dict(zip(names, found, strict=True))["make"].score >= 60


def test_unused_imports_count_more_than_used_ones() -> None:
    found = ranked("from pkg.client import make, Session\nmake(1)\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n|")
    assert found[0].symbol
    assert found[0].symbol.name == "Session"


def test_unresolved_receiver_is_matched_by_its_name() -> None:
    found = ranked("def f(unrelated):\n    unrelated.|")
    assert found[0].symbol
    assert (found[0].symbol.name, found[0].reason) == ("Unrelated", "named like the receiver")


def test_own_definitions_are_left_out() -> None:
    files = {**FILES, "app.py": "class Own:\n    x = 1\n"}
    found = ranked("class Own:\n    x = 1\no = Own()\no.|", files)
    assert all(each.path != "app.py" for each in found)


def test_recently_used_files_settle_ties() -> None:
    files = {"a.py": "class Ape: ...\n", "b.py": "class Bee: ...\n"}
    cursor = Cursor("app.py", "python", "from a import Ape\nfrom b import Bee\n", "")
    resolver = Resolver(Buffer(cursor), MemoryIndex(files))
    for recent in (["a.py"], ["b.py"]):
        assert candidates(resolver, lambda symbol: False, recent)[0].path == recent[0]


def test_typescript_receivers() -> None:
    files = {
        "src/api.ts": "export class Api {\n  user: User;\n  load(id: string): User {}\n}\n"
        "export interface User { name: string }\n",
    }
    head = 'import { Api } from "./api";\n'
    assert best(head + "const api = new Api();\napi.|", files, "src/app.ts") == "Api"
    assert best(head + "function f(api: Api) { api.user.|", files, "src/app.ts") == "User"
    assert best(head + "function f(api: Api) { api.load('1').|", files, "src/app.ts") == "User"


def test_java_receivers() -> None:
    files = {
        "src/com/acme/Api.java": "package com.acme;\npublic class Api {\n"
        "  private User user;\n  public User load(String id) { return null; }\n}\n",
        "src/com/acme/User.java": "package com.acme;\npublic class User { String name() {} }\n",
    }
    path = "src/com/acme/App.java"
    head = "package com.acme;\nclass App {\n  private final Api api;\n  void f(Api other) {\n    "
    assert best(head + "api.|", files, path) == "Api"
    assert best(head + 'var u = other.load("1");\n    u.|', files, path) == "User"


def test_c_sharp_receivers() -> None:
    files = {
        "Api.cs": "namespace Acme;\npublic class Api {\n  public User Owner { get; set; }\n}\n"
        "public class User { public string Name; }\n"
    }
    head = "using Acme;\nclass App {\n  private Api api;\n  void F() {\n    "
    assert best(head + "api.|", files, "App.cs") == "Api"
    assert best(head + "this.api.Owner.|", files, "App.cs") == "User"


def test_go_receivers() -> None:
    files = {
        "store/store.go": "package store\n\ntype Store struct {\n\tName string\n}\n\n"
        "func Open() *Store { return nil }\n\nfunc (s *Store) Get(key string) Item {\n}\n\n"
        "type Item struct {\n\tValue int\n}\n",
    }
    head = 'package main\n\nimport "example.com/acme/store"\n\nfunc run(s *store.Store) {\n\t'
    assert best(head + "s.|", files, "main.go") == "Store"
    assert best(head + "item := s.Get(key)\n\titem.|", files, "main.go") == "Item"
    assert best(head + "other := store.Open()\n\tother.|", files, "main.go") == "Store"


def test_rust_receivers() -> None:
    files = {
        "src/store.rs": "pub struct Store { name: String }\n\nimpl Store {\n"
        "    pub fn new() -> Store { todo!() }\n    pub fn item(&self) -> Item { todo!() }\n}\n"
        "\npub struct Item { value: u8 }\n",
    }
    head = "use crate::store::Store;\n\nfn run(s: &mut Store) {\n    "
    assert best(head + "s.|", files, "src/main.rs") == "Store"
    assert best(head + "let item = s.item();\n    item.|", files, "src/main.rs") == "Item"
    assert best(head + "let other = Store::new();\n    other.|", files, "src/main.rs") == "Store"


def test_c_and_cpp_receivers() -> None:
    files = {
        "store.h": "struct store {\n  int size;\n};\nstruct store *store_open(const char *path);\n",
        "item.hpp": "class Item {\n public:\n  int value() const;\n};\n",
    }
    head = '#include "store.h"\nvoid f(struct store *s) {\n  '
    assert best(head + "s->|", files, "main.c") == "store"
    head = '#include "item.hpp"\nvoid f(const Item& item) {\n  '
    assert best(head + "item.|", files, "a.cpp") == "Item"


def test_a_receiver_of_no_known_type_is_known_by_what_is_used_on_it() -> None:
    files = {
        "bot.py": "class Bot(Base):\n    def say(self): ...\n    def reply(self): ...\n",
        "base.py": "class Base:\n    def part(self): ...\n",
        "other.py": "class Other:\n    def say(self): ...\n    def get(self): ...\n",
    }
    used = "def f(b):\n    b.say()\n    b.reply()\n    b.part()\n    b.get()\n    tab.x()\n"
    found = ranked(used + "def g(b):\n    b.|", files)
    named = [
        each.symbol.name
        for each in found
        if each.symbol and each.reason == "used like the receiver"
    ]
    assert named[:2] == ["Bot", "Base"]
    assert "Other" not in named  # built-in types have `get`, too
    assert best("def g(b):\n    b.|", files) is None


def test_what_is_used_on_a_module_from_elsewhere_tells_nothing() -> None:
    files = {"a.py": "class Files:\n    def makedirs(self): ...\n    def listdir(self): ...\n"}
    assert best("import os\nos.makedirs()\nos.listdir()\nos.|", files) is None
    assert best("os.makedirs()\nos.listdir()\nos.|", files) == "Files"


def test_in_languages_whose_own_types_are_not_known_uses_tell_nothing() -> None:
    files = {"a.ts": "class Queue {\n  push(x: number) {}\n  map(f: any) {}\n}\n"}
    assert best("items.push(1);\nitems.map(f);\nitems.|", files, "b.ts") is None


def test_a_mixin_is_shown_the_classes_that_have_what_it_uses_and_lacks() -> None:
    files = {"a.py": "class Emitter:\n    def emit(self): ...\n    def flush(self): ...\n"}
    own = "class Mixin:\n    def own(self): ...\n    def f(self):\n        self.emit()\n"
    assert (
        best(own + "        self.own()\n        self.flush()\n        self.|", files) == "Emitter"
    )


def test_a_name_that_many_classes_have_tells_nothing() -> None:
    files = {f"m{n:02}.py": "class A:\n    def often(self): ...\n" for n in range(40)}
    assert best("def f(b):\n    b.often()\n    b.|", files) is None


def test_functions_give_what_they_return() -> None:
    files = {
        "a.py": """
class Client:
    def me(self): return self
    def session(self):
        made = Session(self)
        made.open()
        return made

class Sub(Client):
    @property
    def again(self): return self.session()

class Session: ...

def make(): return Client()
"""
    }
    head = "from a import *\n"
    assert best(head + "make().|", files) == "Client"
    assert best(head + "make().session().|", files) == "Session"
    assert best(head + "Sub().me().|", files) == "Sub"
    assert best(head + "Sub().again.|", files) == "Session"


def test_a_condition_is_no_assignment() -> None:
    files = {
        "a.py": "class A: ...\n\nclass B: ...\n\ndef made():\n    a = A()\n"
        "    if a and B(a):\n        pass\n    a >> B()\n    return a\n"
    }
    assert best("from a import made\nmade().|", files) == "A"


def test_members_that_return_each_other_end() -> None:
    files = {
        "a.py": "class A:\n    def f(self): return self.g()\n    def g(self): return self.f()\n"
    }
    assert best("from a import A\nA().f().|", files) is None


def test_a_module_that_defines_its_own_name_is_a_module() -> None:
    files = {"pkg/__init__.py": "", "pkg/build.py": "def build(): ...\ndef other(): ...\n"}
    [first, *_] = ranked("from pkg import build\nbuild.|", files)
    assert (first.path, first.symbol) == ("pkg/build.py", None)
    assert best("from pkg.build import build\nbuild(|", files) == "build"
