from lsp_server.context.buffer import Buffer
from lsp_server.context.expressions import Access, Link, access_before, chain_before, chain_of
from lsp_server.context.types import Cursor


def buffer(text: str, language: str = "python", path: str = "app.py") -> Buffer:
    """The document with the cursor at its `|`."""
    prefix, _, suffix = text.partition("|")
    return Buffer(Cursor(path, language, prefix, suffix))


def test_chain_before_walks_over_calls_subscripts_and_lines() -> None:
    chain = (Link("a", False), Link("b", True), Link("c", False))
    assert chain_before("x = a.b(1, (2, 3)).c") == chain
    assert chain_before("a\n  .b(f[0])\n  .c[1]") == chain
    assert chain_before("x + ") == ()


def test_chain_of_takes_the_first_operand() -> None:
    assert chain_of("await new Foo<Bar>(x).run() || other") == (
        Link("Foo", True),
        Link("run", True),
    )
    assert chain_of("&mut self.items[0]") == (Link("self", False), Link("items", False))
    assert chain_of("'text'") == ()


def test_access_before_knows_receivers_and_what_is_typed() -> None:
    assert access_before("foo.ba") == Access((Link("foo", False),), "ba")
    assert access_before("p->") == Access((Link("p", False),), "")
    assert access_before("x = 1.") is None
    assert access_before("foo") is None


def test_open_calls_are_innermost_first_and_no_keywords() -> None:
    calls = buffer("if (outer(a, inner.method(x, |").open_calls()
    assert calls == [(Link("inner", False), Link("method", False)), (Link("outer", False),)]


def test_nearest_declaration_before_the_cursor_comes_first() -> None:
    found = buffer("x: A = f()\nx = B()\nx.|\nx = C()\n")
    offset = len(found.cursor.prefix)
    assert [each.text for each in found.declared("x", offset)] == ["B()", "A", "f()", "C()"]


def test_declarations_of_other_languages() -> None:
    cases = {
        "typescript": (
            "const a = new Foo();\nfunction f(b: Bar) { |",
            {"a": "new Foo()", "b": "Bar"},
        ),
        "java": ("Foo<Bar> a = make();\nvar b = x.y();\n|", {"a": "Foo<Bar>", "b": "x.y()"}),
        "go": (
            "func (s *Server) Run(c pkg.Conf) {\n\ta := New()\n|",
            {"a": "New()", "c": "pkg.Conf"},
        ),
        "rust": ("let mut a: Foo = x;\nfn f(b: &mut Bar) {\n|", {"a": "Foo", "b": "&mut Bar"}),
        "c": ("struct foo *a = get();\nint f(bar_t b) {\n|", {"a": "struct foo", "b": "bar_t"}),
    }
    for language, (text, expected) in cases.items():
        found = buffer(text, language, "file")
        for name, declared in expected.items():
            first = found.declared(name, len(found.cursor.prefix))[0]
            assert first.text.strip() == declared, (language, name)


def test_enclosing_class_ends_where_the_text_is_dedented() -> None:
    text = "class A:\n    def f(self):\n        pass\n\n"
    inside = buffer(text + "    def g(self):\n        |")
    assert inside.enclosing is not None
    assert inside.enclosing.name == "A"
    assert buffer(text + "x = 1\n|").enclosing is None


def test_the_line_being_typed_does_not_break_what_is_around_it() -> None:
    found = buffer("class A:\n    def f(self):\n        self.(|\n\n    def g(self): ...\n")
    assert [member.name for member in found.classes["A"].members] == ["f", "g"]


def test_names_lose_weight_with_distance() -> None:
    weights = buffer("far()\n\nnear()\nhere(|\nafter()\n").names_near()
    assert weights["here"] > weights["near"] > weights["far"] > 0
    assert weights["near"] > weights["after"] > 0


def test_strings_and_imports_say_no_names() -> None:
    weights = buffer('from a import imported\nx = "quoted"\n|').names_near()
    assert "imported" not in weights
    assert "quoted" not in weights


def test_is_used_counts_whole_names() -> None:
    found = buffer("from a import run, stop\nrunning = 1\nstop()\n|")
    assert not found.is_used("run")
    assert found.is_used("stop")


def test_of_a_very_long_document_top_and_surroundings_are_analysed() -> None:
    filler = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(9000))
    near = "class Near:\n    def method(self):\n        self.|\n"
    whole = buffer("import os\n\n\n" + filler + near + filler)
    assert whole.enclosing is not None
    assert (whole.enclosing.name, whole.enclosing.line) == ("Near", filler.count("\n") + 3)
    assert [each.module for each in whole.symbols.imports] == ["os"]
    named = {each.name for each in whole.symbols.symbols}
    assert {"f0", "f8999", "Near"} <= named
    assert "f4500" not in named


def test_members_used_on_a_receiver_come_nearest_first() -> None:
    here = buffer("b.far()\nb.near()\ntab.no()\na.b.no()\nb.|\nb.after()\nb.far()\n")
    assert here.used_on((Link("b", False),)) == ["near", "far", "after"]
    assert here.used_on((Link("b", True),)) == []
