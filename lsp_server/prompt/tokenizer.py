"""Text to token ids and back, with control tokens kept out of reach of file text.

A `tokenizer.json` as published turns `<|fim_middle|>` inside a file into the control token of that
name, even with special tokens off, since many of them are not marked special. So the tokenizer is
rebuilt here without its control tokens: they are known by name only (`control_id`), and no text can
produce their ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tokenizers

_BRACKETED = re.compile(r"▁?(<.+>|\[.+\])", re.DOTALL)
_MARKER = re.compile(
    r"<\|.+\|>|<｜.+｜>|<\[fim-\w+\]>|</?fim[_-]\w+>|▁<(PRE|SUF|MID|EOT)>"
    r"|\[(PREFIX|SUFFIX|MIDDLE)\]|<(file_sep|repo_name|filename|reponame)>"
)


class TokenizerError(Exception):
    """A model's tokenizer is damaged or of a kind that cannot be used."""


class Tokenizer:
    """A model's tokenizer. Immutable, and safe to use from several threads."""

    def __init__(self, tokenizer_json: str) -> None:
        """From the content of a `tokenizer.json`. Raises TokenizerError when it cannot be used."""
        tree = _parse(tokenizer_json)
        self.control_tokens: Mapping[str, int] = _control_tokens(tree)
        """Name to id of every control token."""
        self._names = {id_: name for name, id_ in self.control_tokens.items()}
        self._names.update(_literal_tokens(tree, self.control_tokens))
        self._plain = tokenizers.Tokenizer.from_str(json.dumps(_plain(tree, self.control_tokens)))

    def control_id(self, token: str) -> int | None:
        """The id of a control token by its exact name, None when the vocabulary has none."""
        return self.control_tokens.get(token)

    def encode(self, text: str) -> list[int]:
        """Ids of text that stands alone: no BOS, no leading space added, never a control token.

        What is not Unicode (lone surrogates) is encoded as question marks.
        """
        # as a batch, since for that `tokenizers` lets go of the interpreter's lock
        [encoded] = self._plain.encode_batch_fast([_unicode(text)], add_special_tokens=False)
        ids: list[int] = encoded.ids
        return ids

    def last_piece(self, text: str) -> int:
        """Where the last piece of a text begins that is tokenized by itself, such as a word with
        its blank; 0 where the tokenizer has no pieces, so that any two words can join."""
        pre_tokenizer = self._plain.pre_tokenizer
        pieces = pre_tokenizer.pre_tokenize_str(_unicode(text)) if pre_tokenizer else []
        return pieces[-1][1][0] if pieces else 0

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, exactly; control tokens by their names, broken UTF-8 as U+FFFD."""
        pieces: list[str] = []
        run: list[int] = []
        for id_ in ids:
            if id_ in self._names:
                pieces += [self._decode_plain(run), self._names[id_]]
                run = []
            else:
                run.append(id_)
        return "".join([*pieces, self._decode_plain(run)])

    def _decode_plain(self, ids: list[int]) -> str:
        text: str = self._plain.decode(ids, skip_special_tokens=False) if ids else ""
        return text


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _parse(tokenizer_json: str) -> dict[str, Any]:
    try:
        tree: dict[str, Any] = json.loads(tokenizer_json)
        kind = tree["model"]["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise TokenizerError(f"the tokenizer.json cannot be read: {error!r}") from error
    if kind != "BPE":
        raise TokenizerError(f"tokenizers of type {kind!r} are not supported, only BPE")
    return tree


def _control_tokens(tree: Mapping[str, Any]) -> dict[str, int]:
    """Added tokens that are marked special or look like markers, and FIM markers of the vocabulary.

    Other added tokens are text: DeepSeek-Coder adds 'ü', Gemma runs of newlines.
    """
    markers = {
        token: id_ for token, id_ in tree["model"]["vocab"].items() if _MARKER.fullmatch(token)
    }
    added = {
        token["content"]: token["id"]
        for token in tree.get("added_tokens") or ()
        if token["special"] or _BRACKETED.fullmatch(token["content"])
    }
    return {**markers, **added}


def _literal_tokens(tree: Mapping[str, Any], control: Mapping[str, int]) -> dict[int, str]:
    """Added text tokens that a byte-level decoder would take for bytes and so break."""
    if (tree.get("decoder") or {}).get("type") != "ByteLevel":
        return {}
    added = tree.get("added_tokens") or ()
    return {token["id"]: token["content"] for token in added if token["content"] not in control}


def _plain(tree: Mapping[str, Any], control: Mapping[str, int]) -> dict[str, Any]:
    """The tokenizer of plain text: no control tokens, nothing put in front of a text."""
    text_tokens = [t for t in tree.get("added_tokens") or () if t["content"] not in control]
    return {
        **tree,
        "truncation": None,
        "padding": None,
        "post_processor": None,
        "added_tokens": text_tokens,
        "normalizer": _without_prefix_space(tree.get("normalizer")),
        "pre_tokenizer": _without_prefix_space(tree.get("pre_tokenizer")),
        "decoder": _without_prefix_space(tree.get("decoder")),
        "model": _without_tokens(tree["model"], control, text_tokens),
    }


def _without_tokens(
    model: Mapping[str, Any], control: Mapping[str, int], text_tokens: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    # A text token keeps its id by standing in the vocabulary: `tokenizers` numbers added tokens
    # anew when they are not in it.
    unknown = model.get("unk_token")
    vocab = {t: i for t, i in model["vocab"].items() if t not in control or t == unknown}
    vocab.update({token["content"]: token["id"] for token in text_tokens})
    merges = [merge for merge in model["merges"] if _merged(merge) not in control]
    return {**model, "vocab": vocab, "merges": merges}


def _merged(merge: str | Sequence[str]) -> str:
    """What a merge yields; older files write it as one string with a space."""
    return merge.replace(" ", "", 1) if isinstance(merge, str) else "".join(merge)


def _without_prefix_space(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """Switches off the space that sentencepiece puts before a text, and its removal on decoding.

    The reference code of CodeLlama and Codestral does the same by encoding "☺" + text and dropping
    the first two ids. Where a model wants the space, a caller writes it: encode(" " + text).
    """
    if part is None or part["type"] in ("Prepend", "Strip"):
        return None
    if part["type"] == "Sequence":
        key = next(k for k in ("normalizers", "pretokenizers", "decoders") if k in part)
        return {**part, key: [p for p in map(_without_prefix_space, part[key]) if p is not None]}
    if part["type"] == "Metaspace":
        old = {"add_prefix_space": False} if "add_prefix_space" in part else {}
        return {**part, **old, "prepend_scheme": "never"}
    if part["type"] == "ByteLevel":
        return {**part, "add_prefix_space": False}
    return part
