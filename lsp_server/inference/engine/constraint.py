"""What a generated text has to begin with: the end of a prompt that was withheld from the model,
because the model's tokens would not have ended there (token healing)."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

_AFTER_ALL = b"\xff"
"""In no UTF-8 text, and greater than all of its bytes."""


class Vocabulary:
    """The tokens of which texts are made, sorted by their bytes: those that begin alike are a
    range. Made once, it answers in microseconds."""

    def __init__(self, tokens: Mapping[int, bytes], device: torch.device | str = "cpu") -> None:
        """From the bytes of each token's id; ids are looked up in logits on `device`."""
        ordered = sorted((piece, id_) for id_, piece in tokens.items() if piece)
        self._pieces = [piece for piece, _ in ordered]
        self._ids = torch.tensor([id_ for _, id_ in ordered], dtype=torch.long, device=device)
        self._bytes = dict(tokens)

    def bytes_of(self, id: int) -> bytes:
        """The bytes of a token."""
        return self._bytes[id]

    def beginning(self, text: bytes) -> Tensor:
        """Ids of the tokens that begin with a text, and of those that it begins with."""
        first = bisect_left(self._pieces, text)
        ranges = [self._ids[first : bisect_left(self._pieces, text + _AFTER_ALL, first)]]
        for length in range(1, len(text)):
            start = bisect_left(self._pieces, text[:length], 0, first)
            ranges.append(
                self._ids[start : bisect_right(self._pieces, text[:length], start, first)]
            )
        return torch.cat(ranges)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Bytes that the next tokens have to spell; nothing `left` leaves all tokens free."""

    vocabulary: Vocabulary
    left: bytes

    def allowed(self) -> Tensor:
        """Ids of the tokens that agree; there are none where the vocabulary cannot spell it."""
        return self.vocabulary.beginning(self.left)

    def exceeded_by(self, id: int) -> bool:
        """Whether a token that agrees has more to it than what is left."""
        return len(self.vocabulary.bytes_of(id)) > len(self.left)

    def after(self, id: int) -> Beginning:
        """What is left after a token that agrees."""
        return Beginning(self.vocabulary, self.left[len(self.vocabulary.bytes_of(id)) :])


def token_bytes(tokenizer: Tokenizer, count: int) -> dict[int, bytes]:
    """The bytes of every token below `count`, as the tokenizer's decoder writes them; not of those
    that were added to the vocabulary, which are control tokens for the most part."""
    decoder = json.loads(tokenizer.decoder.__getstate__()) if tokenizer.decoder else {}
    spell = _spell_mapped if "ByteLevel" in _types(decoder) else _spell_marked
    added = tokenizer.get_added_tokens_decoder()
    return {
        id_: spell(token)
        for token, id_ in tokenizer.get_vocab(with_added_tokens=True).items()
        if id_ < count and id_ not in added
    }


def _types(decoder: Mapping[str, object]) -> set[object]:
    parts = decoder.get("decoders") or ()
    assert isinstance(parts, (list, tuple))
    return {decoder.get("type"), *(part.get("type") for part in parts)}


def _spell_marked(token: str) -> bytes:
    """As sentencepiece writes tokens: a blank as U+2581, a byte by itself as `<0x0A>`."""
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()


def _spell_mapped(token: str) -> bytes:
    """As byte-level BPE writes tokens, each byte as a character; empty for one that is none."""
    try:
        return bytes(_BYTES[character] for character in token)
    except KeyError:
        return b""


def _byte_characters() -> dict[str, int]:
    """The character that stands for each byte, as in GPT-2's encoder.py: printable ones for
    themselves, the others, in order, from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    shown = {chr(byte): byte for byte in printable}
    return shown | {chr(0x100 + index): byte for index, byte in enumerate(others)}


_BYTES = _byte_characters()
