import ast

from lsp_server.context.languages.table import language_of
from lsp_server.context.render import (
    Block,
    Cost,
    choose_definitions,
    choose_members,
    skeleton,
    whole,
)
from lsp_server.context.symbols import parse
from lsp_server.context.types import Symbol

PYTHON = '''
class Client(Base):
    """Talks to a server."""

    timeout: int = 3

    def __init__(self, url: str):
        self.url = url

    @property
    def name(self) -> str:
        return ""

    def get(self, path: str) -> "Response":
        """Fetch a path."""

def make(url) -> Client:
    """Make one."""
'''


def cost(line: str) -> int:
    return len(line.split()) + 1


def symbols(text: str, path: str) -> tuple[Symbol, ...]:
    return parse(path, text, language_of(path)).symbols


def class_lines(text: str, path: str, room: int, cost: Cost = cost) -> list[str]:
    """The lines of a file's first class, its members in order of wanting."""
    block = whole(symbols(text, path)[0])
    members = symbols(text, path)[0].members
    choose_members(
        block,
        members,
        room=room,
        cost=cost,
        language=language_of(path),
        names=True,
        documented=True,
    )
    return skeleton([block], language_of(path))


def test_python_skeleton_is_python() -> None:
    lines = class_lines(PYTHON, "a.py", 1000)
    assert lines == [
        "class Client(Base):",
        '    """Talks to a server."""',
        "    timeout: int = 3",
        "    def __init__(self, url: str):",
        "        self.url = url",
        "    @property",
        "    def name(self) -> str: ...",
        '    def get(self, path: str) -> "Response":',
        '        """Fetch a path."""',
    ]
    ast.parse("\n".join(lines))


def test_functions_and_variables_stand_alone() -> None:
    make = symbols(PYTHON, "a.py")[1]
    python = language_of("a.py")
    assert skeleton([Block(make)], python) == ["def make(url) -> Client: ..."]
    assert skeleton([whole(make)], python) == [
        "def make(url) -> Client:",
        '    """Make one."""',
    ]


def test_members_without_room_are_named_in_one_line() -> None:
    text = "class A:\n" + "".join(f"    def method_{i}(self): ...\n" for i in range(20))
    lines = class_lines(text, "a.py", 60)
    assert lines[0] == "class A:"
    assert lines[1] == "    def method_0(self): ..."
    assert lines[-1].startswith("    # also: method_")
    assert lines[-1].count("()") > 1
    assert sum(map(cost, lines)) <= 60


def test_braces_languages() -> None:
    text = (
        "export class Api extends Base {\n  user: User;\n  load(id: string): User { return x }\n}\n"
    )
    lines = class_lines(text, "a.ts", 1000)
    assert lines[0].endswith("class Api extends Base {")
    assert lines[-1] == "}"
    assert "    load(id: string): User;" in lines


def test_go_methods_stand_outside_of_their_type() -> None:
    text = (
        "package a\n\ntype Server struct {\n\tName string\n}\n\nfunc (s *Server) Run() error {\n}\n"
    )
    lines = class_lines(text, "a.go", 1000)
    assert lines.index("}") < next(i for i, line in enumerate(lines) if "Run() error" in line)


def test_modules_show_what_fits_and_name_the_rest() -> None:
    text = "".join(f"def function_{i}(a, b): ...\n" for i in range(20))
    python = language_of("a.py")
    blocks = choose_definitions(symbols(text, "a.py"), room=40, cost=cost, language=python)
    lines = skeleton(blocks, python)
    assert lines[0] == "def function_0(a, b): ..."
    assert lines[-1].startswith("# also: function_")


def test_merged_blocks_show_both_and_nothing_twice() -> None:
    client = symbols(PYTHON, "a.py")[0]
    timeout, init, _, name, get = client.members
    block = Block(client, [timeout, name], others=["get()", "url"])
    block.merge(Block(client, [name, get], {"get"}))
    assert block.members == [timeout, name, get]
    assert block.others == ["url"]
    assert init not in block.members
