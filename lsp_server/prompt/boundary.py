"""What a prompt holds of the text right at the cursor: it ends where a token does, and stays the
same while an editor opens and closes brackets there."""

from __future__ import annotations

import re

from lsp_server.prompt.tokenizer import Tokenizer

MOST_WITHHELD = 40
"""Characters; each token that is withheld is one more to generate."""

AUTO_CLOSED = ")]}\"'`>"
"""What editors add after the cursor, as a bracket or quote is typed."""

_TYPED = "a"
_WORD = re.compile(r"\s?[^\w\s]*\w*\Z")
"""Some tokenizers join more than a word; no more than this is withheld."""
_BLANKS = (" ", "\t")


def split_at_token_boundary(prefix: str) -> tuple[str, str]:
    """The part of the text before the cursor to show the model, and a part to withhold.

    Code tokenizers join a space or tab with the word after it. A prompt that ends in one ends in a
    token that the model never saw there, and it writes the space again. So one such character is
    withheld, and the model writes it, as the start of its completion.
    """
    if prefix.endswith(_BLANKS):
        return prefix[:-1], prefix[-1]
    return prefix, ""


def split_before_piece(prefix: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """The same for an engine that can be told what its text has to begin with.

    Withheld is what a letter typed at the cursor would be tokenized together with: the word that is
    being typed, with the blank, dot or bracket that the tokenizer takes to it. Nothing of a line
    before the cursor's is.
    """
    line = prefix[prefix.rfind("\n") + 1 :][-2 * MOST_WITHHELD :]
    word = _WORD.search(line)
    assert word is not None
    start = min(len(line), max(word.start(), tokenizer.last_piece(line + _TYPED)))
    withheld = line[start:]
    if len(withheld) > MOST_WITHHELD or not _is_unicode(withheld):
        return split_at_token_boundary(prefix)
    return prefix[: len(prefix) - len(withheld)], withheld


def without_closers(suffix: str) -> str:
    """The text after the cursor to show the model: not the rest of a line that only closes.

    It comes and goes as one types, and where the suffix stands first in a prompt, all would be read
    anew each time. Without it the model writes the same (see benchmarks/README.md).
    """
    rest, newline, below = suffix.partition("\n")
    return suffix if rest.strip(AUTO_CLOSED + " \t\r") else newline + below


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
