"""The benchmarks' definitions on cases made by hand. What is expected is what their own scripts
say of these cases, also where that is odd."""

from __future__ import annotations

import pytest

from lsp_server.evaluation.metrics import (
    CrossCodeScores,
    bootstrap_interval,
    cross_code_scores,
    edit_similarity,
    exact_match,
    first_statement,
    identifier_exact,
    identifier_f1,
    identifiers,
    paired_p_value,
    remove_comments,
    safim_api_call,
    safim_api_match,
    safim_control_expression,
    safim_output_match,
)

PYTHON = "import shop\n\ndef total(cart):\n    return shop."
"""A prompt: the text before the cursor."""


@pytest.mark.parametrize(
    ("prediction", "statement"),
    [
        ("price(cart)\n\nprint(1)", "price(cart)"),
        ("price(\n        cart,\n    )\nprint(1)", "price(\n        cart,\n    )"),
        ("price(cart)  # all of it\nprint(1)", "price(cart)  # all of it"),
        ("price(cart)   \nprint(1)", "price(cart)"),
    ],
)
def test_python_is_cut_at_the_first_line_end_that_parses(prediction: str, statement: str) -> None:
    assert first_statement(PYTHON, prediction, "python") == statement


@pytest.mark.parametrize(
    "prediction",
    [
        pytest.param("price(cart)", id="no line end"),
        pytest.param("price(cart\n\nprint(1)\n", id="never whole"),
        pytest.param("price(cart)  ", id="white space stays without a line end"),
        pytest.param("", id="empty"),
    ],
)
def test_python_without_such_a_place_is_not_cut(prediction: str) -> None:
    assert first_statement(PYTHON, prediction, "python") == prediction


def test_a_line_end_at_the_very_start_ends_no_statement() -> None:
    assert first_statement("x = 1", "\ny = 2\nz = 3", "python") == "\ny = 2"
    assert first_statement("x = 1", "\n\ny = 2", "python") == ""


def test_what_the_parser_adds_for_itself_is_no_error() -> None:
    # tree-sitter notes a missing name after the dot, and goes on.
    assert first_statement("shop", ".\nprint(1)\n", "python") == ".\nprint(1)"
    assert first_statement("def f():\n    return (1, 2", "\n    ", "python") == "\n    "


def test_a_head_without_a_body_is_cut_after_it() -> None:
    assert (
        first_statement("def f(x):\n    if x.", "is_open():\n        y()", "python") == "is_open():"
    )


@pytest.mark.parametrize("language", ["java", "typescript", "csharp"])
@pytest.mark.parametrize(
    ("prediction", "statement"),
    [
        ("size(); next();", "size();"),
        ("size()) {\n  next();", "size()) {"),
        ("size() }", "size() }"),
        ("size(\n  a,\n  b);\nnext();", "size(\n  a,\n  b);"),
        ("size()\nnext()", "size()\nnext()"),
        ('text("a;b");', 'text("a;'),
        ("`${name}`;", "`${"),
        ("for (int i = 0; i < n; i++)", "for (int i = 0;"),
        (";next();", ";next();"),
        ("{ next(); }", "{ next(); }"),
        ("", ""),
    ],
)
def test_other_languages_are_cut_after_a_semicolon_or_brace(
    language: str, prediction: str, statement: str
) -> None:
    """Also in strings; but one that comes first of all counts for nothing."""
    assert first_statement("items.", prediction, language) == statement


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("f(x)  # why", "f(x)  "),
        ("f(x); // why", "f(x); "),
        ("n // 2", "n "),
        ('get("http://example.org")', 'get("http:'),
        ('color("#fff")', 'color("'),
        ("#if DEBUG\nrun();", "\nrun();"),
        ("this.#count", "this."),
        ("a # b // c\nd // e # f\ng", "a \nd \ng"),
        ("/* stays */ f()", "/* stays */ f()"),
        ("/ / #", "/ / "),
    ],
)
def test_comments_are_what_follows_their_marks_in_whatever_place(code: str, left: str) -> None:
    assert remove_comments(code) == left


@pytest.mark.parametrize(
    ("prediction", "truth", "same"),
    [
        ("f(x)", "  f(x)  ", True),
        ("\n\nf(x,\n\n    y)\n", "f(x,\n  y)", True),
        ("f(x, y)", "f(x,\ny)", False),
        ("f(x,y)", "f(x, y)", False),
        ("", " \n ", True),
        ("f(x)\ng()", "f(x)", False),
    ],
)
def test_exact_match(prediction: str, truth: str, same: bool) -> None:
    assert exact_match(prediction, truth) is same


@pytest.mark.parametrize(
    ("prediction", "truth", "ratio"),
    [
        ("abcd", "bcde", 0.75),
        (" abcd\n", "abcd", 1.0),
        ("", "", 1.0),
        ("", "abcd", 0.0),
        ("abcd", " ", 0.0),
        ("abc", "ab", 0.8),
        ("aab", "ab", 0.8),
        ("get_name()", "get_names()", 0.95),  # 20 of 21 characters, in hundredths
        ("tide", "diet", 0.25),  # 2 of 8; the other way round it is another block
        ("diet", "tide", 0.5),
        ("abxcd", "cdyab", 0.4),
    ],
)
def test_edit_similarity_is_fuzzywuzzys(prediction: str, truth: str, ratio: float) -> None:
    assert edit_similarity(prediction, truth) == ratio


def test_edit_similarity_leaves_frequent_characters_of_long_texts_aside() -> None:
    """difflib's rule for texts from 200 characters on; rapidfuzz finds 0.5 here."""
    assert edit_similarity("a" * 200 + "b" * 200, "b" * 200 + "c" * 200) == 0.0


@pytest.mark.parametrize(
    ("code", "language", "names"),
    [
        ("cart.price(tax=rate, n=2)", "python", ["cart", "price", "tax", "rate", "n"]),
        ("x if not None else True", "python", ["x", "True"]),
        ("print('a b', \"c\", d)", "python", ["print", "d"]),
        ("f'{name}' + name", "python", ["f", "name"]),
        (r'"a\"b" + c', "python", ["c"]),
        ("'''a b''' + c", "python", ["c"]),
        ("it's + names'", "python", ["it"]),
        ("don't = 1", "python", ["don", "t"]),
        ("_x 1y x1 Größe él éa", "python", ["_x", "x1", "Größe"]),
        ("this.items.size() > null", "java", ["items", "size", "null"]),
        ("await null as string", "typescript", ["await", "null", "as", "string"]),
        ("var x = await y as string", "csharp", ["var", "x", "await", "y"]),
    ],
)
def test_identifiers(code: str, language: str, names: list[str]) -> None:
    assert identifiers(code, language) == names


def test_identifiers_are_compared_in_order_and_as_sets() -> None:
    assert identifier_exact("a.b(c, 1)", "a . b('x', c)", "python")
    assert not identifier_exact("a.b(c)", "b.a(c)", "python")
    assert identifier_f1("a.b(c)", "b.a(c, c)", "python") == 1.0
    assert identifier_f1("a.b(c)", "a.d", "python") == pytest.approx(2 / 5)
    assert identifier_f1("a", "", "python") == 0.0


def test_no_identifiers_on_both_sides_are_exact_but_have_no_f1() -> None:
    assert identifier_exact("1)", "2)", "python")
    assert identifier_f1("1)", "2)", "python") == 0.0


def test_crosscodeeval_cuts_first_and_removes_comments_then() -> None:
    right = CrossCodeScores(True, 1.0, True, 1.0)
    prediction = "price(cart)  # the sum\n\nprint(1)"
    assert cross_code_scores(PYTHON, prediction, "price(cart)", "python") == right
    # A semicolon in a comment ends the statement before the comment is gone.
    scores = cross_code_scores("x.", "a( // one; two\nb);", "a(\nb);", "java")
    assert scores == CrossCodeScores(False, 0.5, False, 2 / 3)


def test_crosscodeeval_finds_what_it_cannot_see_equal() -> None:
    scores = cross_code_scores(PYTHON, "f(n // 2)\n", "f(n // 3)", "python")
    assert scores.exact_match


@pytest.mark.parametrize(
    ("prediction", "call"),
    [
        ("np.ones((n, n))\nprint(a)", "np.ones((n, n))"),
        ("a(b)(c)", "a(b)"),
        ("a(b", "a(b"),
        ("a)", "a)"),
        ("a), b(c)", "a)"),
        ('a("(") + b()', 'a("(") + b()'),
        ("value", "value"),
    ],
)
def test_safim_judges_the_first_call(prediction: str, call: str) -> None:
    assert safim_api_call(prediction) == call


@pytest.mark.parametrize(
    ("prediction", "truth", "same"),
    [
        ("np.ones((n,n))", "np.ones( (n, n) )", True),
        ("np.zeros((n, n))", "np.ones((n, n))", True),
        ("f(a, x=1, y=2)", "f(a, y=2, x=1)", True),
        ("f(a, b)", "f(b, a)", False),
        ("f('a b')", "f('ab')", True),
        ("f(a) + 1", "f(a)+1", True),
        ("f(a) + 1", "g(a) + 1", False),
        ("f(x for x in y)", "f(xforxiny)", True),
        ("f(a", "f(a", True),
    ],
)
def test_safim_compares_arguments_in_python(prediction: str, truth: str, same: bool) -> None:
    """Without white space, and without what is called."""
    assert safim_api_match(prediction, truth, "python") is same


@pytest.mark.parametrize("language", ["java", "cpp", "csharp"])
def test_safim_compares_text_in_other_languages(language: str) -> None:
    assert safim_api_match("new  Point(a,\n b)", "newPoint(a, b)", language)
    assert not safim_api_match("f(a)", "g(a)", language)


@pytest.mark.parametrize(
    ("prediction", "language", "expression"),
    [
        ("\n  \n  x > 1:\n    y()", "python", "  x > 1:"),
        ("\n", "python", ""),
        ("i < f(n)) {\n", "cpp", "i < f(n)"),
        ("i < n", "java", "i < n"),
    ],
)
def test_safim_judges_the_control_expression(
    prediction: str, language: str, expression: str
) -> None:
    assert safim_control_expression(prediction, language) == expression


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("2 0.5\nYES\nName\n", True),
        ("2.0\n.50\nyes\nName", True),
        ("2 0.5000000000001 Yes Name", True),
        ("2 0.50000001 YES Name", False),
        ("2 0.5 YES name", False),
        ("2 0.5 YES", False),
        ("", False),
    ],
)
def test_safim_compares_words_and_numbers_that_were_written(written: str, same: bool) -> None:
    assert safim_output_match(written, "2 0.5\nYES\nName") is same


@pytest.mark.parametrize("word", ["nan", "inf", "1e999999999"])
def test_numbers_that_cannot_be_computed_with_are_words(word: str) -> None:
    assert safim_output_match(word, word)
    assert not safim_output_match(word, "1")


def test_the_interval_is_that_of_drawing_again() -> None:
    """With 4 of 40 right, drawing 40 again gives 1 to 8 right ones in 95 of 100 times."""
    assert bootstrap_interval([1.0] * 4 + [0.0] * 36) == pytest.approx((1 / 40, 8 / 40))
    many = [0.0, 1.0] * 1000
    assert bootstrap_interval(many) == pytest.approx((0.478, 0.522), abs=0.003)
    assert bootstrap_interval(many) == bootstrap_interval(many)


def test_values_that_are_all_the_same_have_an_interval_of_no_width() -> None:
    assert bootstrap_interval([0.5, 0.5]) == (0.5, 0.5)


def test_there_is_no_interval_of_nothing() -> None:
    with pytest.raises(ValueError):
        bootstrap_interval([])


def test_runs_alike_differ_by_chance() -> None:
    assert paired_p_value([1.0, 0.0, 0.5], [1.0, 0.0, 0.5]) == 1.0
    assert paired_p_value([1.0, 0.0], [0.0, 1.0]) == 1.0


def test_the_p_value_is_that_of_all_exchanges() -> None:
    """Of 10 rows that all gain, 2 of the 1024 ways to exchange them part the means as far."""
    before, after = [0.0] * 10 + [1.0] * 20, [1.0] * 30
    assert paired_p_value(before, after) == pytest.approx(2 / 1024, abs=0.002)
    assert paired_p_value(before, after) == paired_p_value(after, before)


def test_the_sign_test_is_a_case_of_it() -> None:
    """9 rows gain and 3 lose: 598 of 4096 ways to toss twelve coins are as uneven."""
    before, after = [0.0] * 9 + [1.0] * 3, [1.0] * 9 + [0.0] * 3
    assert paired_p_value(before, after) == pytest.approx(598 / 4096, abs=0.015)


def test_runs_of_different_rows_are_not_paired() -> None:
    with pytest.raises(ValueError):
        paired_p_value([1.0], [1.0, 0.0, 1.0])
