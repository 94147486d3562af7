from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.generate import (
    Generator,
    PromptError,
    Sampling,
    Token,
    Usage,
)
from lsp_server.inference.engine.model import CausalModel, Stopped
from lsp_server.inference.engine.transformers_model import TransformersModel
from lsp_server.inference.engine.weights import load_llama
from tests.inference.tiny_models import VOCABULARY, write_model

CPU = torch.device("cpu")
PROMPT = [10, 20, 30, 40, 50]


def make(directory: Path, own: bool) -> CausalModel:
    raw = read_raw(directory)
    if own:
        config = llama_config(raw)
        assert config is not None
        return load_llama(directory, config, CPU, torch.float32)
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
