"""Drafts by prompt lookup: what followed where the last tokens stood before.

Saxena, "Prompt Lookup Decoding" (2023); Yang et al., "Inference with Reference" (arXiv
2304.04487). The code around the cursor, other files, and what was read and generated before are
full of what comes next. A draft costs microseconds, and a pass over a few tokens little more than a
pass over one.
"""

from __future__ import annotations

from collections.abc import Sequence

SHORT = 3
"""Tokens of a draft that little speaks for. The longer the match, and a match grows by the drafts
that came true, the longer the draft."""
LONGEST = 16
"""More tokens are not matched."""
MEMORY = 16384
"""Tokens of what was read and generated before that are looked through too."""


class Drafter:
    """Guesses the next tokens of one text after the other, and remembers what it read.

    Tokens are kept as characters: searching a str is the fastest search for a sequence there is in
    Python, and needs no index.
    """

    def __init__(self) -> None:
        self._memory = self._text = ""
        self._new = 0

    def begin(self, prompt: Sequence[int], known: int = 0) -> None:
        """Start a new text; what was new in the one before is remembered. The first `known` tokens
        are not new: they were read before."""
        self._memory = (self._memory + self._text[self._new :])[-MEMORY:]
        self._text = self._memory + "".join(map(chr, prompt))
        self._new = len(self._memory) + max(0, known - LONGEST)

    def extend(self, ids: Sequence[int]) -> None:
        """Add generated tokens to the text."""
        self._text += "".join(map(chr, ids))

    def draft(self, most: int) -> list[int]:
        """At most so many tokens that may come next; none where there is nothing to go by."""
        start, matched = self._longest_match()
        count = min(most, max(SHORT, matched))
        if not matched or count < 1:
            return []
        follows = self._text[start : start + count]
        # fewer than wanted where the match is near the end: the text repeats itself
        return [ord(character) for character in (follows * count)[:count]]

    def _longest_match(self) -> tuple[int, int]:
        """What follows the latest of the longest matches of the text's end: where it starts, and
        how long the match is."""
        text, end, matched = self._text, len(self._text) - 1, 0
        while matched < LONGEST:
            at = text.rfind(text[-matched - 1 :], 0, end)
            if at < 0:
                break
            matched += 1
            end = at + matched
        return end, matched
