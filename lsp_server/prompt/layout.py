"""Lays out a prompt: which text goes in, where it is cut, and in which order it stands.

Pure, and bounded by the budgets: of a document of any size only the text near the cursor is looked
at. Prompts of consecutive keystrokes share their head, so that the engine's KV cache stays valid:
cross-file snippets stand first, and the prefix's start moves in hops, not line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from lsp_server.prompt import templates
from lsp_server.prompt.line_ends import with_plain_newlines
from lsp_server.prompt.templates import NoTemplateError, Slot, Template
from lsp_server.prompt.tokenizer import Tokenizer
from lsp_server.prompt.types import Budget, Order, Prompt, Snippet

# How far from the cursor text is looked at, per token of budget. Code has 3 to 4 characters a
# token, deeply indented code up to 6.
CHARS_PER_TOKEN = 8
# A shorter piece of a snippet tells the model nothing.
MIN_SNIPPET_TOKENS = 16
# Such a part of the prefix's budget is kept for the cursor's line where that begins the middle,
# however long it is, so that the cut at the prefix's start does not follow what is typed.
LINE_SHARE = 8


class PromptBuilder:
    """Builds prompts for one model. Immutable, and safe to use from several threads."""

    def __init__(self, tokenizer: Tokenizer, template: Template, window: int) -> None:
        """For a model with a context window of `window` tokens.

        Raises NoTemplateError when the tokenizer lacks a token that the template needs.
        """
        missing = templates.missing_tokens(template, tokenizer)
        if missing:
            raise NoTemplateError(
                f"The template {template.name!r} does not fit this model: its vocabulary lacks "
                f"{', '.join(missing)}."
            )
        self.tokenizer = tokenizer
        self.template = template
        self.window = window
        known = (tokenizer.control_id(token) for token in template.stop)
        self.stop_ids = tuple(sorted({id_ for id_ in known if id_ is not None}))

    def build(
        self,
        *,
        path: str,
        prefix: str,
        suffix: str,
        cross_file: Sequence[Snippet] = (),
        repository: str = "",
        budget: Budget | None = None,
        order: Order | None = None,
        is_healed: bool = False,
        max_new_tokens: int = 128,
    ) -> Prompt:
        """The prompt for a cursor between `prefix` and `suffix`, which are the whole document.

        The prefix keeps its end and the suffix its start, cut at line starts (a line that is longer
        than the budget is cut inside). `cross_file` is best first; the best stands last, next to
        the current file. Line ends become `\\n`. Prompt and `max_new_tokens` together fit the
        window: where the budgets do not, cross-file text yields first. `order` is used when the
        model can take it, else, and when None, the template's own choice, for which `is_healed` is
        meant (`Template.order_for`). In the order `line`, a line that is too long for its share of
        the prefix's budget stays in the prefix. In the order `left`, the prefix has the room that
        other files leave of theirs.

        Raises ValueError when the window has no room for any text.
        """
        budget = budget or Budget()
        order = self._order(order, prefix, suffix, is_healed)
        if order == "left":
            budget = replace(budget, suffix=0)
        sequence = self.template.sequence(order)
        budget = self._within_window(budget, sequence, max_new_tokens)
        line_budget = budget.prefix // LINE_SHARE if Slot.LINE in sequence else 0
        above, line = self._split_line(prefix, line_budget)
        snippets, header = self._cross_file(cross_file, repository, path, budget.cross_file)
        if order == "left":
            spare = budget.cross_file - len(snippets) - len(header)
            budget = replace(budget, prefix=budget.prefix + spare)
        lead = " " if self.template.leading_space and not snippets else ""
        parts = {
            Slot.SNIPPETS: snippets,
            Slot.HEADER: header,
            Slot.PREFIX: self._end_of(above, budget.prefix - line_budget, lead),
            Slot.SUFFIX: self._start_of(suffix, budget.suffix),
            Slot.LINE: line,
        }
        return Prompt(
            ids=(*self._bos(), *self._render(sequence, parts)),
            order=order,
            part_tokens={
                "cross_file": len(snippets) + len(header),
                "prefix": len(parts[Slot.PREFIX]) + len(line),
                "suffix": len(parts[Slot.SUFFIX]),
            },
            stop_ids=self.stop_ids,
        )

    def count(self, text: str) -> int:
        """How many tokens a text takes by itself."""
        return len(self._encode(text))

    def _order(self, wanted: Order | None, prefix: str, suffix: str, is_healed: bool) -> Order:
        if wanted == "left" or wanted in self.template.orders:
            return wanted
        ends_line = not suffix.partition("\n")[0].strip()
        return self.template.order_for(_at_line_start(prefix), is_healed and ends_line)

    def _bos(self) -> list[int]:
        return self._render((self.template.bos,), {}) if self.template.bos else []

    def _render(self, sequence: templates.Parts, parts: Mapping[Slot, Sequence[int]]) -> list[int]:
        control = self.tokenizer.control_tokens
        ids = ([control[part]] if isinstance(part, str) else parts[part] for part in sequence)
        return list(chain.from_iterable(ids))

    def _within_window(
        self, budget: Budget, sequence: templates.Parts, max_new_tokens: int
    ) -> Budget:
        """The budgets, made to fit: cross-file yields first, then prefix and suffix alike."""
        control = len(self._bos()) + sum(isinstance(part, str) for part in sequence)
        room = self.window - max_new_tokens - control
        if room < 1:
            raise ValueError(
                f"a window of {self.window} tokens has no room for a prompt besides "
                f"{max_new_tokens} new tokens"
            )
        file = budget.prefix + budget.suffix
        if file <= room:
            return Budget(budget.prefix, budget.suffix, min(budget.cross_file, room - file))
        suffix = budget.suffix * room // file
        return Budget(room - suffix, suffix, 0)

    def _cross_file(
        self, snippets: Sequence[Snippet], repository: str, path: str, budget: int
    ) -> tuple[list[int], list[int]]:
        """The snippets in their repository form, and the current file's header; both may be empty.

        Without snippets no repository form is used at all: that is how plain files were trained on.
        """
        form = self.template.repository
        name = {Slot.REPOSITORY: self._encode(form.repository_line.format(repository))}
        start = self._render(form.start, name)
        header = self._render(form.header, {Slot.PATH: self._encode(form.path_line.format(path))})
        room = budget - len(start) - len(header)
        chosen: list[list[int]] = []
        for snippet in snippets:
            ids = self._snippet(snippet, room)
            if ids:
                chosen.append(ids)
                room -= len(ids)
        return ([*start, *chain(*reversed(chosen))], header) if chosen else ([], [])

    def _snippet(self, snippet: Snippet, budget: int) -> list[int]:
        """A snippet in its form, cut at a line end; empty when too little of it would fit."""
        form = self.template.repository
        path = self._encode(form.path_line.format(snippet.path))
        room = budget - len(self._render(form.snippet, {Slot.PATH: path, Slot.TEXT: ()}))
        lines = _lines(snippet.text, room * CHARS_PER_TOKEN)
        clipped = sum(map(len, lines)) < len(snippet.text)
        if lines:
            lines[-1] = lines[-1].rstrip("\r\n") + "\n"
        text, count = self._lines_within(lines, room)
        whole = count == len(lines) and not clipped
        if not text or (len(text) < MIN_SNIPPET_TOKENS and not whole):
            return []
        return self._render(form.snippet, {Slot.PATH: path, Slot.TEXT: text})

    def _split_line(self, prefix: str, budget: int) -> tuple[str, list[int]]:
        """The text above the cursor's line and that line encoded, or all as it is and nothing."""
        start = prefix.rfind("\n") + 1
        if len(prefix) - start <= budget * CHARS_PER_TOKEN:
            line = self._encode(prefix[start:])
            if len(line) <= budget:
                return prefix[:start], line
        return prefix, []

    def _start_of(self, text: str, budget: int) -> list[int]:
        """As many whole lines from the start as fit, or as much of the first line."""
        lines = _lines(text, budget * CHARS_PER_TOKEN)
        ids, count = self._lines_within(lines, budget)
        return ids if count else self._encode("".join(lines[:1]))[:budget]

    def _lines_within(self, lines: Sequence[str], budget: int) -> tuple[list[int], int]:
        """The longest run of lines from the first one that fits, encoded, and how many they are."""
        used = count = 0
        for line in lines:
            used += len(self._encode(line))
            if used > budget:
                break
            count += 1
        while count:  # encoded together they hardly ever take more than one by one
            ids = self._encode("".join(lines[:count]))
            if len(ids) <= budget:
                return ids, count
            count -= 1
        return [], 0

    def _end_of(self, text: str, budget: int, lead: str) -> list[int]:
        """The end of the text, from a cut that stays where it is while text is typed at the end.

        Cuts are wanted every `budget` characters of the file (a third of the budget in tokens, in
        ordinary code), at the start of the line there; where lines are too long for that, at any
        line start, and at last inside a line.
        """
        if not text or budget < 1:
            return []
        skipped = _first_grid_point(len(text), budget)
        at_line_start = skipped == 0 or text[skipped - 1] == "\n"
        text = text[skipped:]
        starts = [0] * at_line_start + [match.end() for match in re.finditer("\n", text[:-1])]
        grid = range(0, max(1, len(text) - budget), budget)
        on_grid = sorted({text.rfind("\n", 0, point) + 1 for point in grid}.intersection(starts))
        for cuts in (on_grid, starts, grid):
            for cut in self._cuts_within(text, cuts, budget):
                ids = self._encode(lead + text[cut:])
                if len(ids) <= budget:
                    return ids
        return self._encode(text[-budget:])[-budget:]

    def _cuts_within(self, text: str, cuts: Sequence[int], budget: int) -> Iterator[int]:
        """The cuts, earliest first, after which the text takes about `budget` tokens or less."""
        used, end, first = 0, len(text), len(cuts)
        while first and used <= budget:
            first -= 1
            used += len(self._encode(text[cuts[first] : end]))
            end = cuts[first]
        return iter(cuts[first + (used > budget) :])

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(with_plain_newlines(text))


def _at_line_start(prefix: str) -> bool:
    line = prefix[prefix.rfind("\n") + 1 :]
    return not line.strip()


def _lines(text: str, limit: int) -> list[str]:
    """The lines, with their ends, of the first `limit` characters; no part of a line but the first.

    Only `\\n` ends a line here: form feeds and U+2028 do not.
    """
    lines = re.findall(r"[^\n]*\n|[^\n]+", text[: max(0, limit)])
    cut = len(text) > limit and len(lines) > 1 and not lines[-1].endswith("\n")
    return lines[:-1] if cut else lines


def _first_grid_point(length: int, budget: int) -> int:
    """The first multiple of `budget` that is near enough to the end of a text to matter."""
    return -(-max(0, length - budget * CHARS_PER_TOKEN) // budget) * budget
