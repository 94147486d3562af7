"""Scores as the benchmarks' own scripts define them, quirks included, and what is chance in them.

CrossCodeEval: github.com/amazon-science/cceval, scripts/eval_metric.py and eval_utils.py.
SAFIM: github.com/gonglinyuan/safim, evaluate.py and prompt_utils.py, and what runs its programs,
github.com/ntunlp/ExecEval, execution_engine.py.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher

import numpy as np
import tree_sitter_python
from tree_sitter import Language, Node, Parser

RESAMPLES = 10_000

# CrossCodeEval's lists, which are not the languages': C# has neither `var` nor `await`, say.
_KEYWORDS = {
    "python": " ".join(word for word in keyword.kwlist if word not in ("True", "False")),
    "java": (
        "abstract assert boolean break byte case catch char class const continue default do double"
        " else enum extends final finally float for goto if implements import instanceof int"
        " interface long native new package private protected public return short static strictfp"
        " super switch synchronized this throw throws transient try var void volatile while"
    ),
    "typescript": (
        "break case catch class const continue debugger default delete do else enum export extends"
        " finally for function if implements import in instanceof interface let new package private"
        " protected public return static super switch this throw try typeof var void while with"
        " yield"
    ),
    "csharp": (
        "abstract as base bool break byte case catch char checked class const continue decimal"
        " default delegate do double else enum event explicit extern finally fixed float for"
        " foreach goto if implicit in int interface internal is lock long namespace new null object"
        " operator out override params private protected public readonly ref return sbyte sealed"
        " short sizeof stackalloc static string struct switch this throw try typeof uint ulong"
        " unchecked unsafe ushort using virtual void volatile while"
    ),
}
_STRING = re.compile(r"\"([^\"\\]*(\\.[^\"\\]*)*)\"|'([^'\\]*(\\.[^'\\]*)*)'")
_NAME_START = re.compile(r"[_a-zA-Z]")
_STATEMENT_END = re.compile(r"[;{}]")
_ROUNDING = 1e-9
_NUMBERS_DIFFER = Decimal("1e-12")
_ANSWERS = ("yes", "no", "true", "false")
_PYTHON = Parser(Language(tree_sitter_python.language()))


@dataclass(frozen=True, slots=True)
class CrossCodeScores:
    """CrossCodeEval's scores of one prediction; numbers are from 0 to 1."""

    exact_match: bool
    edit_similarity: float
    identifier_exact: bool
    identifier_f1: float


def cross_code_scores(prompt: str, prediction: str, truth: str, language: str) -> CrossCodeScores:
    """All that CrossCodeEval measures, in its order: the prediction is cut after its first
    statement, comments leave both sides, and what is left is compared.

    `prompt` is the file's text before the cursor, without other files. `language` is python, java,
    typescript or csharp.
    """
    predicted = remove_comments(first_statement(prompt, prediction, language))
    true = remove_comments(truth)
    return CrossCodeScores(
        exact_match(predicted, true),
        edit_similarity(predicted, true),
        identifier_exact(predicted, true, language),
        identifier_f1(predicted, true, language),
    )


def first_statement(prompt: str, prediction: str, language: str) -> str:
    """What CrossCodeEval judges of a prediction that follows a prompt.

    Python: up to the first end of a line where prompt and prediction parse, a line end at the very
    start aside. Other languages: up to the first `;`, `{` or `}`; all of it where one of them
    comes first. All of it where there is no such place.
    """
    if language == "python":
        ends = (index for index, character in enumerate(prediction) if index and character == "\n")
        whole = (prediction[:end] for end in ends if _parses(prompt + prediction[:end]))
        return next((statement.rstrip() for statement in whole), prediction)
    end = _STATEMENT_END.search(prediction)
    return prediction[: end.end()] if end and end.start() else prediction


def remove_comments(code: str) -> str:
    """Every line up to its first `#` or `//`, whatever the language, inside strings too."""
    return re.sub(r"//.*", "", re.sub(r"#.*", "", code))


def exact_match(prediction: str, truth: str) -> bool:
    """Whether the lines that are not blank are the same, white space around each aside."""
    return _lines(prediction) == _lines(truth)


def edit_similarity(prediction: str, truth: str) -> float:
    """fuzzywuzzy's ratio, from 0 to 1 in hundredths, white space around both aside.

    It is difflib's ratio: that is what fuzzywuzzy computes with CrossCodeEval's requirements, while
    rapidfuzz, and fuzzywuzzy beside python-Levenshtein, count edits and find other values.
    """
    predicted, true = prediction.strip(), truth.strip()
    if predicted == true:
        return 1.0
    if not predicted or not true:
        return 0.0
    return round(100 * SequenceMatcher(None, predicted, true).ratio()) / 100


def identifiers(code: str, language: str) -> list[str]:
    """Words outside of strings that start like a name and are no keywords, in their order."""
    words: list[str] = re.findall(r"\w+", _STRING.sub("", code))
    keywords = _KEYWORDS[language].split()
    return [word for word in words if _NAME_START.match(word) and word not in keywords]


def identifier_exact(prediction: str, truth: str, language: str) -> bool:
    """Whether both have the same identifiers in the same order."""
    return identifiers(prediction, language) == identifiers(truth, language)


def identifier_f1(prediction: str, truth: str, language: str) -> float:
    """F1, from 0 to 1, of the sets of identifiers; 0 where there are none, even on both sides."""
    predicted, true = set(identifiers(prediction, language)), set(identifiers(truth, language))
    total = len(predicted) + len(true)
    return 2 * len(predicted & true) / total if total else 0.0


def safim_api_call(prediction: str) -> str:
    """What SAFIM judges of a prediction for API completion: all up to the end of the first call,
    brackets in strings counted as any other."""
    depth = 0
    for index, character in enumerate(prediction):
        depth += (character == "(") - (character == ")")
        if character == ")" and depth <= 0:
            return prediction[: index + 1]
    return prediction


def safim_control_expression(prediction: str, language: str) -> str:
    """What SAFIM judges of a prediction for control-flow completion: in Python the first line that
    is not blank, in other languages all up to the bracket that closes one opened before it."""
    if language == "python":
        return next((line for line in prediction.splitlines() if line.strip()), "")
    depth = 0
    for index, character in enumerate(prediction):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return prediction[:index]
    return prediction


def safim_api_match(prediction: str, truth: str, language: str) -> bool:
    """Whether two calls are the same to SAFIM: but for white space, or in Python, if both are
    nothing but a call, in their arguments, whatever is called."""
    predicted, true = (re.sub(r"\s+", "", code) for code in (prediction, truth))
    if language == "python":
        calls = (_arguments(predicted), _arguments(true))
        if None not in calls:
            return calls[0] == calls[1]
    return predicted == true


def safim_output_match(written: str, expected: str) -> bool:
    """Whether a program wrote what a test of SAFIM's expects: the same words, white space aside;
    numbers may differ a little, and yes, no, true and false be written small or large."""
    words = written.split(), expected.split()
    return len(words[0]) == len(words[1]) and all(map(_same_word, *words))


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean of at least one value.

    Values count as independent. Where all are the same, so are the ends, however few there are.
    """
    if len(values) == 0:
        raise ValueError("there is no interval of no values")
    random = np.random.default_rng(seed)
    sample = np.asarray(values, dtype=float)
    draws = (random.integers(sample.size, size=sample.size) for _ in range(RESAMPLES))
    means = [sample[drawn].mean() for drawn in draws]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def paired_p_value(a: Sequence[float], b: Sequence[float], seed: int = 0) -> float:
    """How often chance alone would part the means of two runs of the same rows at least this far.

    A two-sided permutation test: if the runs do not differ, each row's two values may as well
    change places. `a` and `b` hold the same rows in the same order; ValueError where they cannot.
    """
    differences = np.array([before - after for before, after in zip(a, b, strict=True)])
    random = np.random.default_rng(seed)
    parted = differences.sum()
    as_far = 0
    for _ in range(RESAMPLES):
        exchanged = random.integers(2, size=differences.size) @ differences
        as_far += bool(abs(parted - 2 * exchanged) >= abs(parted) - _ROUNDING)
    return (as_far + 1) / (RESAMPLES + 1)


def _parses(code: str) -> bool:
    """Whether a syntax tree has no error; what the parser finds missing is none."""
    nodes: list[Node] = [_PYTHON.parse(code.encode()).root_node]
    while nodes:
        node = nodes.pop()
        if node.type == "ERROR":
            return False
        nodes += (child for child in node.children if child.has_error)
    return True


def _lines(code: str) -> list[str]:
    return [line.strip() for line in code.split("\n") if line.strip()]


def _same_word(one: str, other: str) -> bool:
    try:
        return abs(Decimal(one) - Decimal(other)) <= _NUMBERS_DIFFER
    except ArithmeticError:  # not both are numbers, or none to compute with
        answers = one.lower(), other.lower()
        return one == other or (answers[0] == answers[1] and answers[0] in _ANSWERS)


def _arguments(code: str) -> tuple[list[str], dict[str | None, str]] | None:
    """Positional and named arguments of an expression that is a call; None of any other text."""
    try:
        call = ast.parse(code, mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        named = {each.arg: ast.dump(each.value) for each in call.keywords}
        return [ast.dump(each) for each in call.args], named
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
