"""What became of a request, in words. Pure.

What comes from files and engines is made printable: nothing of it can steer a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from lsp_server.completion.types import Outcome, Receipt

_TO_DO: Mapping[Outcome, str] = {
    Outcome.SUGGESTED: "",
    Outcome.CACHED: "",
    Outcome.ATTACHED: "",
    Outcome.EMPTY: "It has more to say where the text says what is wanted: a comment, a telling "
    "name, or the first characters of the line.",
    Outcome.TRIMMED: "What the model wrote stands in the file already, or does not fit there.",
    Outcome.UNSURE: "completion.min_confidence is the bound: a lower one shows more, and more that "
    "is wrong.",
    Outcome.REJECTED: "It comes back when the lines around this place change.",
    Outcome.PRIVATE: "Nothing of it was shown to the model. `coder-lsp doctor` lists the rules; "
    "privacy.fine in your own config.toml makes an exception from the built-in ones.",
    Outcome.LOADING: "It is loaded once for all your editors; suggestions begin when that is done.",
    Outcome.NO_MODEL: "`coder-lsp doctor` says what is missing, and where the logs are.",
    Outcome.CANCELLED: "Editors do so while you type: there is nothing to mend.",
    Outcome.SUPERSEDED: "That is usual while you type: there is nothing to mend.",
    Outcome.ENGINE_FAILED: "A local model server is started again by itself, and `coder-lsp "
    "doctor` says where its log is; with engine.url, look at the server that it names.",
    Outcome.TIMED_OUT: "engine.timeout_seconds is the limit. A smaller model is faster, and so are "
    "shorter prompts (prompt.prefix_tokens, prompt.cross_file_tokens).",
    Outcome.FAILED: "The log says more, and `coder-lsp doctor` says where that is.",
}
_TO_ENABLE = {
    "language": "Taken out of completion.disabled_languages, it gets suggestions again.",
    "on-demand": "Ask for a suggestion yourself, or set completion.eagerness to normal.",
    "comment": "Ask for a suggestion yourself, or set completion.in_comments to true.",
    "string": "Ask for a suggestion yourself, or set completion.in_strings to true.",
    "text after": "Ask for a suggestion yourself, or set completion.before_text to true.",
    "": "Ask for a suggestion yourself, and you get one.",
}
"""What to do where suggestions are not wanted, by a word of the reason; the first that fits."""
_CHOSEN_FOR = {
    "receiver": "the type of what stands before the dot",
    "base of the receiver": "a base of the type of what stands before the dot",
    "used like the receiver": "has members that are used on what stands before the dot",
    "named like the receiver": "named like what stands before the dot",
    "callee": "what is called at the cursor",
    "method named like the callee": "a method of the name that is called at the cursor",
    "import": "imported, and named near the cursor",
    "name": "named near the cursor",
    "method's name": "a method of a name near the cursor",
    "type of a variable": "the type of a variable near the cursor",
    "similar text": "text like that around the cursor",
}
"""Reasons that not everybody would understand."""
_PARTS = {
    "cross_file": "of other files",
    "prefix": "before the cursor",
    "suffix": "after it",
}
_CONTROL = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], "\ufffd")
_CONTROL |= {code: chr(0x2400 + code) for code in range(32)} | {127: "\u2421"}
_CONTROL_BUT_LINES = {code: sign for code, sign in _CONTROL.items() if chr(code) not in "\t\n"}


def explain(receipt: Receipt) -> str:
    """What became of a request, what can be done about it, and what went into it; some lines."""
    lines = [f"{_time(receipt)}, {_place(receipt)}: {summary(receipt)}.", _to_do(receipt)]
    lines += [_stages(receipt), _tokens(receipt), *_snippets(receipt)]
    return "\n".join(line for line in lines if line)


def explain_many(receipts: Iterable[Receipt]) -> str:
    """The same in one line for each."""
    return "\n".join(
        f"{_time(receipt)}  {_place(receipt)}  {summary(receipt)}{_total(receipt)}"
        for receipt in receipts
    )


def summary(receipt: Receipt) -> str:
    """What ended a request, and how much was suggested; without a full stop."""
    detail = _on_one_line(receipt.detail).rstrip(". ")
    words = receipt.outcome.value + (f" ({detail})" if detail else "")
    return words + (f": {_count(receipt.suggested, 'character')}" if receipt.suggested else "")


def show(receipt: Receipt, prompt: str | None) -> str:
    """A receipt to read: the words, and then the exact prompt with its control tokens by name;
    None where it is not kept. Control characters of files are shown by signs."""
    if prompt is None:
        return f"{explain(receipt)}\n\n{_why_no_prompt(receipt)}"
    order = f" (in the order {receipt.order})" if receipt.order else ""
    shown = prompt.translate(_CONTROL_BUT_LINES)
    return (
        f"{explain(receipt)}\n\nThe prompt it comes from{order}, control tokens by name:\n\n{shown}"
    )


def as_data(receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain data without its prompt, the outcome by name and in words (`why`)."""
    data = asdict(replace(receipt, prompt=None))
    del data["prompt"]
    return {**data, "outcome": receipt.outcome.name.lower(), "why": receipt.outcome.value}


def _to_do(receipt: Receipt) -> str:
    if receipt.outcome is not Outcome.DISABLED:
        return _TO_DO[receipt.outcome]
    return next(to_do for word, to_do in _TO_ENABLE.items() if word in receipt.detail)


def _why_no_prompt(receipt: Receipt) -> str:
    if receipt.tokens or receipt.outcome is Outcome.CACHED:
        return "Its prompt is not kept any more."
    return "For this request the model was given no prompt."


def _time(receipt: Receipt) -> str:
    return datetime.fromtimestamp(receipt.at).strftime("%H:%M:%S")


def _place(receipt: Receipt) -> str:
    place = f"line {receipt.line}" if receipt.line else f"character {receipt.offset}"
    return f"{_on_one_line(receipt.path)} at {place}"


def _total(receipt: Receipt) -> str:
    total = receipt.stages_ms.get("total")
    return "" if total is None else f"  {_milliseconds(total)} ms"


def _stages(receipt: Receipt) -> str:
    stages = dict(receipt.stages_ms)
    total = stages.pop("total", None)
    words = "" if total is None else f"It took {_milliseconds(total)} ms."
    each = [f"{name.replace('_', ' ')} {_milliseconds(ms)}" for name, ms in stages.items()]
    if each:  # of a generation that began earlier, they may come to more
        words += f" Milliseconds of the generation: {', '.join(each)}."
    return words.strip()


def _tokens(receipt: Receipt) -> str:
    tokens = receipt.tokens
    parts = {name: tokens[name] for name in _PARTS if name in tokens}
    if not parts and "generated" not in tokens:
        return ""
    listed = ", ".join(f"{count} {_PARTS[name]}" for name, count in parts.items())
    words = f"Tokens: {sum(parts.values())} in the prompt"
    words += f" ({listed})" if listed else ""
    if "cached" in tokens:
        words += f", {tokens['cached']} read before and reused"
    return f"{words}; {tokens.get('generated', 0)} generated."


def _snippets(receipt: Receipt) -> list[str]:
    if not receipt.context:
        return []
    chosen = {path: _CHOSEN_FOR.get(why, why) for path, why in receipt.context.items()}
    each = (f"  {_on_one_line(path)}: {_on_one_line(why)}" for path, why in chosen.items())
    return ["Other files in the prompt, and why:", *each]


def _milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).translate(_CONTROL)
