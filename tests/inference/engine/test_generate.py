from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.constraint import Beginning, Vocabulary
from lsp_server.inference.engine.generate import (
    Generator,
    PromptError,
    Sampling,
    Token,
    Usage,
)
from lsp_server.inference.engine.linear import Int8Linear, Linear, LinearForm, WeightOnlyInt8Linear
from lsp_server.inference.engine.model import CausalModel, Stopped
from lsp_server.inference.engine.transformers_model import TransformersModel
from lsp_server.inference.engine.weights import load_llama
from tests.inference.tiny_models import VOCABULARY, write_model

CPU = torch.device("cpu")
PROMPT = [10, 20, 30, 40, 50]


def make(
    directory: Path, own: bool, dtype: torch.dtype = torch.float32, form: LinearForm = Linear
) -> CausalModel:
    raw = read_raw(directory)
    if own:
        config = llama_config(raw)
        assert config is not None
        return load_llama(directory, config, CPU, dtype, form)
    return TransformersModel(directory, raw, CPU, torch.float32)


@pytest.fixture(params=["own", "transformers"])
def generator(request: pytest.FixtureRequest, tmp_path: Path) -> Generator:
    write_model(tmp_path, "Llama", eos_token_id=None)
    return Generator(make(tmp_path, request.param == "own"), kv_slots=1)


def run(generator: Generator, ids: list[int], **sampling: object) -> tuple[list[Token], Usage]:
    usage = Usage()
    options = Sampling(**({"max_tokens": 12} | sampling))  # type: ignore[arg-type]
    return list(generator.generate(ids, options, usage)), usage


def test_greedy_is_transformers_greedy(generator: Generator, tmp_path: Path) -> None:
    reference = write_model(tmp_path, "Llama", eos_token_id=None)
    expected = reference.generate(
        torch.tensor([PROMPT]), max_new_tokens=12, do_sample=False, pad_token_id=0
    )
    tokens, usage = run(generator, PROMPT)
    assert [token.id for token in tokens] == expected[0, len(PROMPT) :].tolist()
    assert (usage.prompt, usage.cached, usage.completion) == (5, 0, 12)


def test_a_reused_cache_changes_nothing(generator: Generator) -> None:
    fresh, _ = run(generator, PROMPT)
    other = [*PROMPT[:3], 99, 98]
    run(generator, other)
    again, usage = run(generator, PROMPT)
    assert usage.cached == 3
    assert [token.id for token in again] == [token.id for token in fresh]
    typed = [*PROMPT, fresh[0].id]
    after, usage = run(generator, typed)
    assert usage.cached == len(PROMPT)
    assert [token.id for token in after[:11]] == [token.id for token in fresh[1:]]


def test_ends_before_a_stop_token(generator: Generator) -> None:
    tokens, _ = run(generator, PROMPT)
    ids = [token.id for token in tokens]
    end = ids[4]
    stopped, usage = run(generator, PROMPT, stop_ids=frozenset({end}))
    assert [token.id for token in stopped] == ids[: ids.index(end)]
    assert usage.completion == ids.index(end)


def test_logprobs_are_those_of_the_distribution(generator: Generator) -> None:
    tokens, _ = run(generator, PROMPT, logprobs=True, top_logprobs=3)
    for token in tokens:
        assert token.logprob is not None
        assert token.logprob <= 0
        assert token.top[0][0] == token.id
        assert token.top[0][1] == pytest.approx(token.logprob)
        assert len(token.top) == 3
    plain, _ = run(generator, PROMPT)
    assert plain[0].logprob is None


def test_temperature_draws_by_seed(generator: Generator) -> None:
    def draw(seed: int) -> list[int]:
        return [token.id for token in run(generator, PROMPT, temperature=2.0, seed=seed)[0]]

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(5)}) > 1


def test_stop_is_felt_while_decoding(generator: Generator) -> None:
    got: list[Token] = []
    with pytest.raises(Stopped):
        for token in generator.generate(PROMPT, Sampling(50), Usage(), lambda: len(got) == 3):
            got.append(token)  # noqa: PERF402
    assert len(got) == 3
    assert len(run(generator, PROMPT)[0]) == 12


def test_stop_is_felt_in_prefill(generator: Generator) -> None:
    with pytest.raises(Stopped):
        next(generator.generate([1] * 1500, Sampling(5), Usage(), lambda: True))


def test_what_does_not_fit_the_window_is_refused(generator: Generator) -> None:
    with pytest.raises(PromptError, match="2048"):
        run(generator, [1] * 2040)


@pytest.mark.parametrize("ids", [[], [1, VOCABULARY], [1, -1]])
def test_ids_that_the_model_does_not_have_are_refused(generator: Generator, ids: list[int]) -> None:
    with pytest.raises(PromptError, match=f"from 0 to {VOCABULARY - 1}"):
        run(generator, ids)


def test_a_pass_that_fails_leaves_no_half_filled_cache(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, _ = run(generator, PROMPT)
    forward = generator.model.forward

    def fail(*arguments: Any) -> Any:
        forward(*arguments)
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(generator.model, "forward", fail)
        with pytest.raises(RuntimeError, match="memory"):
            run(generator, [*PROMPT, 60, 70])
    again, usage = run(generator, PROMPT)
    assert usage.cached == 0
    assert again == fresh


def test_another_architecture_through_transformers(tmp_path: Path) -> None:
    changes = {"num_key_value_heads": 2, "sliding_window": None, "eos_token_id": None}
    reference = write_model(tmp_path, "Starcoder2", **changes)
    assert llama_config(read_raw(tmp_path)) is None
    generator = Generator(make(tmp_path, own=False), kv_slots=1)
    expected = reference.generate(
        torch.tensor([PROMPT]), max_new_tokens=12, do_sample=False, pad_token_id=0
    )
    tokens, _ = run(generator, PROMPT)
    assert [token.id for token in tokens] == expected[0, len(PROMPT) :].tolist()


def test_the_first_tokens_agree_with_what_is_given(generator: Generator) -> None:
    vocabulary = Vocabulary({id_: bytes([id_]) for id_ in range(256)} | {256: b"abcd"})
    free, _ = run(generator, PROMPT)
    bound, _ = run(generator, PROMPT, beginning=Beginning(vocabulary, b"xyz"), logprobs=True)
    assert [token.id for token in bound[:3]] == [*b"xyz"]
    assert [token.logprob for token in bound[:3]] == [None] * 3
    after, _ = run(generator, [*PROMPT, *b"xyz"], logprobs=True)
    assert [token.id for token in bound[3:]] == [token.id for token in after[:9]]
    assert [token.id for token in run(generator, PROMPT)[0]] == [token.id for token in free]


def test_a_token_that_goes_on_has_its_share_of_those_that_agree(generator: Generator) -> None:
    vocabulary = Vocabulary({97: b"abc", 98: b"abd", 99: b"x"})
    tokens, _ = run(
        generator, PROMPT, beginning=Beginning(vocabulary, b"ab"), logprobs=True, max_tokens=1
    )
    assert tokens[0].id in (97, 98)
    assert tokens[0].logprob is not None
    assert math.exp(tokens[0].logprob) >= 0.5


def test_what_cannot_be_spelled_is_given_up(generator: Generator) -> None:
    free, _ = run(generator, PROMPT)
    beginning = Beginning(Vocabulary({1: b"a"}), b"xyz")
    assert run(generator, PROMPT, beginning=beginning)[0] == free


SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "grouped queries": ("Llama", {"num_hidden_layers": 1}),
    "a key head a query head": ("Llama", {"num_key_value_heads": 4, "head_dim": 32}),
    "biases, tied": ("Qwen2", {"tie_word_embeddings": True}),
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Several that wait for each other are slow on a machine that does other things as well."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[Int8Linear, WeightOnlyInt8Linear])
def exact(
    request: pytest.FixtureRequest, shape: str, tmp_path: Path, one_thread: None
) -> CausalModel:
    """A model that can verify drafts."""
    kind, changes = SHAPES[shape]
    write_model(tmp_path, kind, eos_token_id=None, **changes)
    dtype = torch.float32 if request.param is Int8Linear else torch.bfloat16
    model = make(tmp_path, own=True, dtype=dtype, form=request.param)
    assert model.exact_rows > 1
    return model


@torch.inference_mode()
def test_a_pass_over_a_few_tokens_is_bit_for_bit_one_for_each(exact: CausalModel) -> None:
    draw = random.Random(4)
    for length in (1, 15, 40, 511, 700):
        prompt = draw.choices(range(VOCABULARY), k=length)
        ids = draw.choices(range(VOCABULARY), k=exact.exact_rows)
        one_by_one, together = exact.new_cache(), exact.new_cache()
        for cache in (one_by_one, together):
            exact.forward(prompt, cache, 0, lambda: False)
        expected = [
            exact.forward([id_], one_by_one, length + index, lambda: False)
            for index, id_ in enumerate(ids)
        ]
        logits = exact.forward(ids, together, length, lambda: False, len(ids))
        assert torch.equal(logits, torch.cat(expected))
        for name in ("keys", "values"):
            held, wanted = getattr(together, name), getattr(one_by_one, name)
            assert torch.equal(held[:, :, : length + len(ids)], wanted[:, :, : length + len(ids)])


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    prompts=st.lists(
        st.lists(st.integers(0, VOCABULARY - 1) | st.integers(0, 3), min_size=1, max_size=90),
        min_size=1,
        max_size=4,
    ),
    max_tokens=st.integers(1, 40),
    stop=st.frozensets(st.integers(0, VOCABULARY - 1), max_size=20),
)
def test_speculation_changes_nothing_but_the_passes(
    exact: CausalModel, prompts: list[list[int]], max_tokens: int, stop: frozenset[int]
) -> None:
    plain, speculating = Generator(exact, 2), Generator(exact, 2)
    options = {"max_tokens": max_tokens, "stop_ids": stop, "logprobs": True, "top_logprobs": 2}
    for prompt in [*prompts, prompts[0]]:
        expected, usual = run(plain, prompt, speculate=False, **options)
        tokens, usage = run(speculating, prompt, **options)
        assert tokens == expected
        assert usage.completion == usual.completion
        assert usage.passes <= usual.passes


def test_what_repeats_itself_takes_fewer_passes(exact: CausalModel) -> None:
    generator = Generator(exact, 1)
    first, usual = run(generator, PROMPT, max_tokens=40, speculate=False)
    again, usage = run(generator, PROMPT, max_tokens=40)
    assert again == first
    assert usual.passes == 40
    assert usage.passes <= 11  # from the second time on the last suggestion is known


def test_a_draft_is_left_where_the_reader_leaves(exact: CausalModel) -> None:
    generator = Generator(exact, 1)
    expected, _ = run(generator, PROMPT, max_tokens=40)
    for count in range(1, 12):
        reader: Any = generator.generate(PROMPT, Sampling(40), Usage())
        assert [next(reader) for _ in range(count)] == expected[:count]
        reader.close()
    assert run(generator, PROMPT, max_tokens=40)[0] == expected


def test_a_stop_is_felt_between_the_tokens_of_a_draft(exact: CausalModel) -> None:
    generator = Generator(exact, 1)
    run(generator, PROMPT, max_tokens=40)
    got: list[Token] = []
    with pytest.raises(Stopped):
        for token in generator.generate(PROMPT, Sampling(40), Usage(), lambda: len(got) == 6):
            got.append(token)  # noqa: PERF402
    assert len(got) == 6


def test_what_is_drawn_by_chance_is_not_speculated_on(exact: CausalModel) -> None:
    generator = Generator(exact, 1)
    for _ in range(2):
        _, usage = run(generator, PROMPT, max_tokens=20, temperature=1.0, seed=3)
        assert usage.passes == 20


def test_a_shared_head_is_copied_and_changes_nothing(generator: Generator) -> None:
    two = Generator(generator.model, kv_slots=2)
    head = [random.Random(5).randrange(VOCABULARY) for _ in range(30)]
    for tail in ([1] * 40, [2] * 40, [1] * 41, [2] * 41):
        expected, _ = run(Generator(generator.model, kv_slots=1), head + tail)
        tokens, usage = run(two, head + tail)
        assert [token.id for token in tokens] == [token.id for token in expected]
        assert usage.cached == {(1, 40): 0, (2, 40): 30}.get((tail[0], len(tail)), 70)


def test_caches_stay_within_their_memory(generator: Generator) -> None:
    cache = generator.model.new_cache()
    generator.model.forward([1] * 60, cache, 0, lambda: False)
    assert cache.size > 0
    for room, kept in ((3 * cache.size, True), (cache.size // 2, False)):
        bounded = Generator(generator.model, kv_slots=4, kv_bytes=room)
        run(bounded, [1] * 40)
        run(bounded, [2] * 40)
        _, usage = run(bounded, [3] * 40)
        _, usage = run(bounded, [2] * 41)
        assert (usage.cached > 0) == kept
