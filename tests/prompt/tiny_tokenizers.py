"""Small tokenizers with the control tokens of families whose own tokenizer cannot be fetched."""

from __future__ import annotations

import json

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as HubTokenizer

from lsp_server.prompt.tokenizer import Tokenizer

CORPUS = ["def add(a, b):\n    return a + b\n\n\nclass Point:\n    x: int = 0\n"] * 4


def byte_level(control: list[str]) -> Tokenizer:
    """In the manner of StarCoder2 and Seed-Coder: byte-level BPE, control tokens added."""
    return Tokenizer(byte_level_json(control))


def byte_level_json(control: list[str]) -> str:
    """The `tokenizer.json` of `byte_level`."""
    hub = HubTokenizer(models.BPE())
    hub.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    hub.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=control,
        show_progress=False,
    )
    hub.train_from_iterator(CORPUS, trainer)
    return str(hub.to_str())


def sentencepiece(control: list[str], *, metaspace: bool = False) -> Tokenizer:
    """In the manner of CodeLlama, Codestral and Gemma, with markers reachable by merges.

    `metaspace` chooses between the two ways in which published files add the leading space.
    """
    return Tokenizer(sentencepiece_json(control, metaspace=metaspace))


def sentencepiece_json(control: list[str], *, metaspace: bool = False) -> str:
    """The `tokenizer.json` of `sentencepiece`."""
    pieces = ["<unk>", *control, *(f"<0x{byte:02X}>" for byte in range(256)), *"▁abcdefghim<|>[]"]
    merges = [("▁", "a"), ("d", "e"), ("de", "f"), ("▁", "def")]
    pieces += ["".join(merge) for merge in merges]
    for token in control:
        for end in range(2, len(token) + 1):
            merges.append((token[: end - 1], token[end - 1]))
            pieces += [token[: end - 1], token[end - 1], token[:end]]
    vocab = {piece: id_ for id_, piece in enumerate(dict.fromkeys(pieces))}
    hub = HubTokenizer(
        models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tail = [decoders.ByteFallback(), decoders.Fuse()]
    if metaspace:
        hub.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        hub.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="first"), *tail])
    else:
        hub.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        hub.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), *tail, decoders.Strip(" ", 1, 0)]
        )
    hub.add_tokens([AddedToken(token, normalized=False) for token in control])
    return json.dumps(json.loads(hub.to_str()))
