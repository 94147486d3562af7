"""Line ends as models see them."""

from __future__ import annotations


def with_plain_newlines(text: str) -> str:
    """The text with `\\n` for every `\\r\\n` and `\\r`, the ends that LSP knows."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
