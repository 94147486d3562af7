"""What goes into a prompt and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal["psm", "spm", "line", "left"]
"""Order of the parts: prefix-suffix-middle or suffix-prefix-middle (arXiv 2207.14255); `line`, that
is prefix-suffix-middle with the middle begun by what stands before the cursor on its line; or only
what stands left of the cursor, for the model to go on with as with any text."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file of the repository: its path from the workspace's root, and text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Most tokens each part of a prompt may take."""

    prefix: int = 1024
    suffix: int = 256
    cross_file: int = 512


@dataclass(frozen=True, slots=True)
class Prompt:
    """A laid-out prompt.

    `ids` are the model's token ids, control tokens included; `order` the order of its parts;
    `part_tokens` the number of tokens of each part (`cross_file`, `prefix`, `suffix`); `stop_ids`
    the tokens that end a completion.
    """

    ids: tuple[int, ...]
    order: Order
    part_tokens: dict[str, int]
    stop_ids: tuple[int, ...]
