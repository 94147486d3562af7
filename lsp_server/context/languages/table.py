"""The languages that DeepSeek-Coder was trained on, and how to tell them.

Endings and names follow GitHub's Linguist, ids the LSP specification and common editor extensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import cast

from lsp_server.context.languages.unit import Unit

Block = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its name in the model's training data.

    `endings` start with a dot, `names` are whole file names, `ids` are what editors call it beside
    its name. `comment` is what starts a comment line, or, where a language has none, what stands
    around a comment. `unit` is the module that knows its symbols.
    """

    name: str
    comment: str | Block
    endings: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    unit: str = ""

    @property
    def line_comment(self) -> str:
        """What starts a comment line; empty for a language that has only block comments."""
        return self.comment if isinstance(self.comment, str) else ""

    @property
    def block_comment(self) -> Block | None:
        """What stands around a comment, in a language without comment lines."""
        return None if isinstance(self.comment, str) else self.comment

    def commented(self, line: str) -> str:
        """One line of text as a comment."""
        if isinstance(self.comment, str):
            return f"{self.comment} {line}"
        start, end = self.comment
        return f"{start} {line} {end}"

    @property
    def symbols(self) -> Unit | None:
        """What knows this language's symbols, loaded at first use; None if nothing does."""
        return _unit(self.unit) if self.unit else None


@cache
def _unit(module: str) -> Unit:
    return cast("Unit", import_module(f"lsp_server.context.languages.{module}").UNIT)


def _row(
    name: str,
    comment: str | Block,
    endings: str = "",
    names: str = "",
    ids: str = "",
    unit: str = "",
) -> Language:
    dotted = tuple(f".{ending}" for ending in endings.split())
    return Language(name, comment, dotted, tuple(names.split()), tuple(ids.split()), unit)


_C: Block = ("/*", "*/")
_ML: Block = ("(*", "*)")
_MARKUP: Block = ("<!--", "-->")

LANGUAGES = (
    _row("ada", "--", "adb ads ada gpr"),
    _row("agda", "--", "agda"),
    _row("alloy", "//", "als"),
    _row("antlr", "//", "g4 g", ids="antlr4"),
    _row("applescript", "--", "applescript scpt"),
    _row("assembly", ";", "asm s S nasm inc", ids="asm nasm gas x86asm arm"),
    _row("augeas", _ML, "aug"),
    _row("awk", "#", "awk gawk mawk nawk"),
    _row("batchfile", "REM", "bat cmd", ids="bat batch dosbatch"),
    _row("bluespec", "//", "bsv bs"),
    _row("c", "//", "c h", unit="c"),
    _row("c-sharp", "//", "cs csx cake", ids="csharp cs", unit="c_sharp"),
    _row("clojure", ";;", "clj cljs cljc cljd edn bb", ids="clojurescript edn"),
    _row("cmake", "#", "cmake cmake.in", "CMakeLists.txt"),
    _row("coffeescript", "#", "coffee cson iced", "Cakefile", "coffee"),
    _row("common-lisp", ";;", "lisp lsp cl asd", ids="commonlisp lisp"),
    _row(
        "cpp",
        "//",
        "cpp cc cxx c++ hpp hh hxx h++ ipp tpp tcc inl ixx cppm ino",
        ids="c++ objective-cpp arduino",
        unit="cpp",
    ),
    _row("css", _C, "css"),
    _row("cuda", "//", "cu cuh", ids="cuda-cpp", unit="cpp"),
    _row("dart", "//", "dart"),
    _row("dockerfile", "#", "dockerfile containerfile", "Dockerfile Containerfile", "docker"),
    _row("elixir", "#", "ex exs", "mix.lock", "elixir-script"),
    _row("elm", "--", "elm"),
    _row("emacs-lisp", ";;", "el emacs", ".emacs _emacs", "elisp emacslisp"),
    _row("erlang", "%", "erl hrl escript app.src xrl yrl", "rebar.config rebar.lock"),
    _row("f-sharp", "//", "fs fsi fsx fsscript", ids="fsharp"),
    _row("fortran", "!", "f90 f95 f03 f08 f18 f for f77 ftn fpp F90 F95 F", ids="fortran-modern"),
    _row("glsl", "//", "glsl vert frag geom tesc tese comp vsh fsh shader"),
    _row("go", "//", "go", unit="go"),
    _row("groovy", "//", "groovy gradle gvy grt gsh nf", "Jenkinsfile"),
    _row("haskell", "--", "hs hsc hs-boot cabal", ids="cabal"),
    _row("html", _MARKUP, "html htm xhtml html.hl", ids="xhtml"),
    _row("idris", "--", "idr ipkg", ids="idris2"),
    _row("isabelle", _ML, "thy", "ROOT"),
    _row("java", "//", "java jav", unit="java"),
    _row("java-server-pages", ("<%--", "--%>"), "jsp jspx jspf tag", ids="jsp"),
    _row(
        "javascript",
        "//",
        "js mjs cjs jsx es6 jsm",
        "Jakefile",
        "javascriptreact jsx",
        unit="typescript",
    ),
    _row("json", "//", "json jsonc json5 jsonl geojson webmanifest", ".babelrc", "jsonc json5"),
    _row("julia", "#", "jl"),
    _row("jupyter-notebook", "#", "ipynb", ids="jupyter ipynb"),
    _row("kotlin", "//", "kt kts ktm", unit="kotlin"),
    _row("lean", "--", "lean hlean", ids="lean4"),
    _row("literate-agda", "%", "lagda lagda.tex lagda.md", ids="lagda"),
    _row("literate-coffeescript", "#", "litcoffee coffee.md"),
    _row("literate-haskell", "%", "lhs", ids="lhaskell literatehaskell"),
    _row("lua", "--", "lua luau nse rockspec p8", ".luacheckrc", "luau", unit="lua"),
    _row("makefile", "#", "mk mak make", "Makefile makefile GNUmakefile Kbuild", "make"),
    _row("maple", "#", "mpl mla"),
    _row("markdown", _MARKUP, "md markdown mdown mkd mkdn mdx", ids="mdx"),
    _row("mathematica", _ML, "wl wls nb mathematica mt", ids="wolfram"),
    _row("matlab", "%", "m", ids="octave"),
    _row("ocaml", _ML, "ml mli mll mly eliom", ids="ocaml.interface ocaml.ocamllex ocaml.menhir"),
    _row("pascal", "//", "pas pp dpr dpk lpr", ids="objectpascal delphi"),
    _row("perl", "#", "pl pm pod psgi t perl", "cpanfile Makefile.PL", "perl5 perl6 raku"),
    _row("php", "//", "php phtml php3 php4 php5 phps inc.php", unit="php"),
    _row("powershell", "#", "ps1 psm1 psd1", ids="pwsh"),
    _row("prolog", "%", "pro prolog plt yap"),
    _row("protocol-buffer", "//", "proto", ids="proto proto3 protobuf"),
    _row("python", "#", "py pyi pyw pyx pxd bzl", "SConstruct SConscript wscript", unit="python"),
    _row("r", "#", "r R", ".Rprofile"),
    _row("racket", ";;", "rkt rktd rktl scrbl"),
    _row("restructuredtext", "..", "rst rest rst.txt", ids="rst"),
    _row("rmarkdown", _MARKUP, "rmd Rmd qmd", ids="rmd quarto"),
    _row(
        "ruby",
        "#",
        "rb rake gemspec ru rbi podspec jbuilder",
        "Gemfile Rakefile Guardfile Podfile Vagrantfile Brewfile Fastfile",
        "erb",
        unit="ruby",
    ),
    _row("rust", "//", "rs rs.in", unit="rust"),
    _row("sas", "*", "sas"),
    _row("scala", "//", "scala sc sbt mill", unit="scala"),
    _row("scheme", ";;", "scm ss sld sls sps"),
    _row(
        "shell",
        "#",
        "sh bash zsh ksh bats command ebuild",
        ".bashrc .bash_profile .bash_aliases .profile .zshrc .zshenv PKGBUILD APKBUILD",
        "shellscript sh bash zsh ksh",
        unit="shell",
    ),
    _row("smalltalk", ('"', '"'), "st"),
    _row("solidity", "//", "sol"),
    _row("sparql", "#", "sparql rq"),
    _row("sql", "--", "sql ddl dml psql plsql pgsql mysql tsql", ids="plsql pgsql mysql tsql"),
    _row("stan", "//", "stan"),
    _row("standard-ml", _ML, "sml sig fun", ids="sml"),
    _row("stata", "*", "do ado doh ihlp mata"),
    _row("systemverilog", "//", "sv svh"),
    _row("tcl", "#", "tcl tm adp", "tclsh"),
    _row("tcsh", "#", "tcsh csh", ".cshrc .tcshrc .login", "csh"),
    _row("tex", "%", "tex sty cls ltx bib dtx ins", ids="latex bibtex context plaintex"),
    _row("thrift", "//", "thrift"),
    _row("typescript", "//", "ts tsx mts cts", ids="typescriptreact tsx", unit="typescript"),
    _row("verilog", "//", "v vh veo"),
    _row("vhdl", "--", "vhd vhdl vho vht"),
    _row("visual-basic", "'", "vb vbs bas vba frm", ids="vb vbnet visualbasic vbscript vba"),
    _row("xslt", _MARKUP, "xslt xsl", ids="xsl"),
    _row("yacc", "//", "y yy yacc bison", ids="bison"),
    _row("yaml", "#", "yaml yml yaml-tmlanguage", ".clang-format .clang-tidy", "dockercompose"),
    _row("zig", "//", "zig zon"),
)  # fmt: skip

FURTHER = (_row("swift", "//", "swift", unit="swift"),)
"""Languages that the model was not trained on whose symbols are known nevertheless."""

PLAIN_TEXT = Language("plain-text", "#")
"""Any other text: `#` starts a comment in most configuration files and scripts."""

_BY_ID = {name: one for one in (*LANGUAGES, *FURTHER) for name in (one.name, *one.ids)}
_BY_NAME = {name: one for one in (*LANGUAGES, *FURTHER) for name in one.names}
_BY_ENDING = {ending: one for one in (*LANGUAGES, *FURTHER) for ending in one.endings}


def language_of(path: str, language_id: str = "") -> Language:
    """The language of a document: by the editor's id for it, else by its file's name, else by the
    longest ending of that. Never fails: what nothing tells is plain text."""
    if known := _BY_ID.get(language_id) or _BY_ID.get(language_id.lower()):
        return known
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    if known := _BY_NAME.get(name):
        return known
    for text in (name, name.lower()):
        start = text.find(".")
        while start >= 0:
            if known := _BY_ENDING.get(text[start:]):
                return known
            start = text.find(".", start + 1)
    return PLAIN_TEXT
