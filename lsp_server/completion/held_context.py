"""Cross-file context that stays while text is typed near by, where the machine is slow.

It stands before the current file in the prompt, so with every change of it the model reads all of
that anew: milliseconds on a GPU, seconds on a small CPU.
"""

from __future__ import annotations

from collections import OrderedDict

from lsp_server.completion.types import Anchor
from lsp_server.context.steadiness import Chosen, is_urgent

WORTH_SECONDS = 0.15
"""A change may hold up a request for so long."""
URGENT_SECONDS = 0.6
"""The same where the definition of what stands before the cursor is missing."""
NEAR_LINES = 40
"""Further away the file has to be read anew in any case."""
LEAST_TOKENS = 32
"""Reading fewer says little of how fast a model reads."""
DOCUMENTS = 16


class HeldContext:
    """What the model was last shown with each document, and how fast it reads."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[int, Chosen]] = OrderedDict()
        self._seconds_per_token = 0.0

    def was_read(self, tokens: int, seconds: float) -> None:
        """The model read so many tokens of a prompt in so long."""
        if tokens >= LEAST_TOKENS:
            measured = seconds / tokens
            self._seconds_per_token = (measured + (self._seconds_per_token or measured)) / 2

    def hold(self, at: Anchor, chosen: Chosen) -> None:
        """The model has read, or is about to read, a prompt for this place with this context."""
        self._held[at.document] = at.prefix.count("\n"), chosen
        self._held.move_to_end(at.document)
        if len(self._held) > DOCUMENTS:
            self._held.popitem(last=False)

    def prefer(self, at: Anchor, new: Chosen, tokens: int) -> Chosen:
        """The context for a prompt of about `tokens` tokens that somebody waits for: what was
        chosen now, if reading all of that is worth it, else what is held."""
        line, held = self._held.get(at.document, (0, Chosen()))
        is_near = abs(at.prefix.count("\n") - line) <= NEAR_LINES
        if not is_near or not held.snippets or held.snippets == new.snippets:
            return new
        worth = URGENT_SECONDS if is_urgent(new, held) else WORTH_SECONDS
        return held if tokens * self._seconds_per_token > worth else new
