"""Every language by its id, its file names and its endings."""

from __future__ import annotations

import pytest

from lsp_server.context.languages.table import (
    FURTHER,
    LANGUAGES,
    PLAIN_TEXT,
    Language,
    language_of,
)

NAMES = [
    "ada",
    "agda",
    "alloy",
    "antlr",
    "applescript",
    "assembly",
    "augeas",
    "awk",
    "batchfile",
    "bluespec",
    "c",
    "c-sharp",
    "clojure",
    "cmake",
    "coffeescript",
    "common-lisp",
    "cpp",
    "css",
    "cuda",
    "dart",
    "dockerfile",
    "elixir",
    "elm",
    "emacs-lisp",
    "erlang",
    "f-sharp",
    "fortran",
    "glsl",
    "go",
    "groovy",
    "haskell",
    "html",
    "idris",
    "isabelle",
    "java",
    "java-server-pages",
    "javascript",
    "json",
    "julia",
    "jupyter-notebook",
    "kotlin",
    "lean",
    "literate-agda",
    "literate-coffeescript",
    "literate-haskell",
    "lua",
    "makefile",
    "maple",
    "markdown",
    "mathematica",
    "matlab",
    "ocaml",
    "pascal",
    "perl",
    "php",
    "powershell",
    "prolog",
    "protocol-buffer",
    "python",
    "r",
    "racket",
    "restructuredtext",
    "rmarkdown",
    "ruby",
    "rust",
    "sas",
    "scala",
    "scheme",
    "shell",
    "smalltalk",
    "solidity",
    "sparql",
    "sql",
    "stan",
    "standard-ml",
    "stata",
    "systemverilog",
    "tcl",
    "tcsh",
    "tex",
    "thrift",
    "typescript",
    "verilog",
    "vhdl",
    "visual-basic",
    "xslt",
    "yacc",
    "yaml",
    "zig",
]

every = pytest.mark.parametrize(
    "language", [*LANGUAGES, *FURTHER], ids=lambda language: language.name
)


def test_all_of_the_training_languages_are_there() -> None:
    assert [language.name for language in LANGUAGES] == NAMES


@every
def test_by_the_editors_id(language: Language) -> None:
    for language_id in (language.name, *language.ids):
        assert language_of("notes.txt", language_id) is language


@every
def test_by_the_files_name(language: Language) -> None:
    for name in language.names:
        assert language_of(f"some/folder/{name}") is language


@every
def test_by_the_ending(language: Language) -> None:
    assert language.endings
    for ending in language.endings:
        assert language_of(f"a.b/some{ending}") is language
        assert language_of(f"some{ending}", "an-unknown-id") is language


@every
def test_comments(language: Language) -> None:
    commented = language.commented("text")
    start, end = language.block_comment or (language.line_comment, "")
    assert start
    assert commented.startswith(f"{start} text") and commented.endswith(end)


@every
def test_symbols_where_there_is_a_unit(language: Language) -> None:
    assert (language.symbols is not None) == bool(language.unit)


@pytest.mark.parametrize(
    ("path", "language_id", "name"),
    [
        ("a.PY", "", "python"),
        ("A.S", "", "assembly"),
        ("x.lagda.md", "", "literate-agda"),
        ("x.coffee.md", "", "literate-coffeescript"),
        ("CMakeLists.txt", "", "cmake"),
        ("x.tsx", "typescriptreact", "typescript"),
        ("x.h", "", "c"),
        ("x.h", "cpp", "cpp"),
        ("x", "shellscript", "shell"),
        ("x", "csharp", "c-sharp"),
        ("kernel.cu", "cuda-cpp", "cuda"),
        ("windows\\Makefile", "", "makefile"),
    ],
)
def test_particular_files(path: str, language_id: str, name: str) -> None:
    assert language_of(path, language_id).name == name


@pytest.mark.parametrize(
    "path", ["", ".", "LICENSE", "notes.txt", "a.unknown", "x.", "folder.py/file"]
)
def test_the_rest_is_plain_text(path: str) -> None:
    assert language_of(path) is PLAIN_TEXT
    assert PLAIN_TEXT.commented("x") == "# x" and PLAIN_TEXT.symbols is None


def test_an_ending_belongs_to_one_language() -> None:
    for kind in ("endings", "names"):
        values = [value for one in (*LANGUAGES, *FURTHER) for value in getattr(one, kind)]
        assert len(values) == len(set(values))
