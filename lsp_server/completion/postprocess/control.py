"""Text that looks like a control token."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"<[|｜][A-Za-z_▁]+[|｜]>|<(?:fim_(?:prefix|middle|suffix|pad)|file_sep|repo_name|endoftext)>"
)


def before_control_text(text: str) -> str:
    """Cut at the first thing that looks like a control token."""
    found = _CONTROL.search(text)
    return text[: found.start()] if found else text
