"""All rules, one after the other."""

from __future__ import annotations

from lsp_server.completion.place import Place
from lsp_server.completion.postprocess.brackets import without_surplus_closers
from lsp_server.completion.postprocess.control import before_control_text
from lsp_server.completion.postprocess.indentation import (
    indented_as_the_file,
    with_a_line_for_the_closer,
)
from lsp_server.completion.postprocess.noise import without_lone_comment, without_noise
from lsp_server.completion.postprocess.overlap import without_following_lines, without_rest_of_line
from lsp_server.completion.postprocess.parse import before_errors
from lsp_server.completion.postprocess.unfinished import without_empty_body, without_last_line
from lsp_server.completion.scope import Scope, end_of


def fit(text: str, place: Place, scope: Scope, *, finished: bool = True) -> str:
    """The part of `text` worth inserting at a place; empty when nothing is.

    `finished` is false where the model was cut off before it came to an end. Fitting what is left
    again changes nothing.
    """
    if not scope.is_fitted:
        return text[: end_of(text, place, scope)]
    text = before_control_text(text)
    end = end_of(text, place, scope)
    if end is None and not finished:
        text = without_last_line(text)
    written, text = text, text[:end]
    begun = text
    while (fitted := _fit_once(text, place, scope)) != text:
        text = fitted
    text = without_lone_comment(text, begun, place)
    return with_a_line_for_the_closer(text, written, place)


def _fit_once(text: str, place: Place, scope: Scope) -> str:
    text = text[: end_of(text, place, scope)]
    text = indented_as_the_file(text, place)
    text = without_following_lines(text, place)
    text = without_rest_of_line(text, place)
    text = without_surplus_closers(text, place, scope)
    text = without_empty_body(text, place, scope)
    text = before_errors(text, place, scope)
    text = without_noise(text, place)
    return text.rstrip()
