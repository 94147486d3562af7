"""The token boundary at the cursor."""

from __future__ import annotations


def split_at_token_boundary(prefix: str) -> tuple[str, str]:
    """The part of the text before the cursor to show the model, and a part to withhold.

    Code tokenizers join a space or tab with the word after it. A prompt that ends in one ends in a
    token that the model never saw there, and it writes the space again. So one such character is
    withheld, and the model writes it, as the start of its completion.
    """
    if prefix.endswith((" ", "\t")):
        return prefix[:-1], prefix[-1]
    return prefix, ""
