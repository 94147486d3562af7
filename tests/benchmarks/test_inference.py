from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch

from benchmarks.inference.__main__ import Samples, cell, limit_of, measure, measure_cancelling
from benchmarks.inference.engines import Answer, CoderLsp, Figures, Transformers
from benchmarks.inference.hosted import EngineFailed, Hosted
from benchmarks.inference.limits import Machine, Shape, shape_of
from benchmarks.inference.models import Prompts
from tests.inference.tiny_models import VOCABULARY, write_model

MACHINE = Machine(bandwidth=1e9, matmul={"bf16": 1e12})
FIGURES = Figures(1, "bf16", 4, 0)
SHAPE = Shape(layer_weights=800_000, head_weights=200_000, cached=1000, attention=2000)
CLOCK = Answer(first_ms=100.0, total_ms=190.0, tokens=10)


class FakeEngine:
    """Answers as it is told; runs in a process of its own."""

    def answer(self, ids: Sequence[int], tokens: int, one_by_one: bool = False) -> Answer:
        if not ids:
            raise ValueError("no prompt")
        return Answer(float(len(ids)), float(len(ids) + tokens), tokens)

    def cancel(self, ids: Sequence[int], tokens: int, after: float) -> float | None:
        return 1.5 if tokens > 1 else None

    def figures(self) -> Figures:
        return Figures(1, "bf16", 4, os.getpid())


@pytest.fixture(scope="module")
def hosted() -> Iterator[Hosted]:
    with closing(Hosted("fake", FakeEngine)) as engine:
        yield engine


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_model(folder, "Llama")
    return folder


def test_an_engine_runs_in_a_process_of_its_own(hosted: Hosted) -> None:
    assert hosted.answer([1, 2], 3) == Answer(2.0, 5.0, 3)
    assert hosted.figures().memory != os.getpid()
    assert hosted.load_seconds >= 0


def test_what_an_engine_runs_into_is_told() -> None:
    with (
        closing(Hosted("fake", FakeEngine)) as engine,
        pytest.raises(EngineFailed, match="no prompt"),
    ):
        engine.answer([], 1)


def test_every_figure_is_sampled_at_every_length(hosted: Hosted, directory: Path) -> None:
    samples = measure([hosted], Prompts(directory, 10), [16, 32], 3, warm_each_length=False)
    assert samples["cold 16"] == {"fake": [16.0] * 3}
    assert samples["per token 32"]["fake"] == pytest.approx([32 / 31] * 3)
    assert samples["keystroke 32"]["fake"] == [32.0] * 3
    assert samples["line 32"]["fake"] == [48.0] * 3


def test_only_what_was_cancelled_in_time_counts(hosted: Hosted, directory: Path) -> None:
    samples: Samples = measure_cancelling([hosted], Prompts(directory, 10), 2)
    assert samples["cancel in decode"] == {"fake": [1.5] * 6}
    assert samples["cancel in prefill"] == {"fake": []}


def test_per_token_is_of_those_after_the_first() -> None:
    assert CLOCK.per_token_ms == 10.0


def test_the_limit_is_reading_or_computing_whichever_is_longer() -> None:
    # 1e6 weights of a byte and 1000 positions of 1000 numbers of 4 bytes, at 1e9 bytes a second
    assert SHAPE.limit_ms(MACHINE, FIGURES, 1000, 1) == pytest.approx(5.0)
    # 2 * (8e5 * 1e4 + 2e5) operations and 2000 for each of 1e4 * (1e4 + 1) / 2 pairs
    work = 2 * (8e5 * 1e4 + 2e5) + 2000 * 1e4 * 10001 / 2
    assert SHAPE.limit_ms(MACHINE, FIGURES, 0, 10_000) == pytest.approx(1000 * work / 1e12)


def test_a_line_takes_a_keystroke_and_fifteen_tokens() -> None:
    def limit(row: str) -> float:
        found = limit_of(row, MACHINE, SHAPE, FIGURES)
        assert found is not None
        return found

    assert limit("line 256") == pytest.approx(limit("keystroke 256") + 15 * limit("per token 256"))
    assert limit_of("cancel in decode", MACHINE, SHAPE, FIGURES) is None


def test_the_shape_counts_the_weights_of_all_matrices(tmp_path: Path) -> None:
    model = write_model(tmp_path, "Qwen2", num_key_value_heads=2, tie_word_embeddings=False)
    shape = shape_of(tmp_path)
    matrices = {name: p.numel() for name, p in model.named_parameters() if p.dim() == 2}
    assert shape.head_weights == matrices.pop("lm_head.weight")
    assert matrices.pop("model.embed_tokens.weight") == VOCABULARY * 64
    assert shape.layer_weights == sum(matrices.values())


@pytest.mark.parametrize("kind", [CoderLsp, Transformers])
def test_engines_generate_as_many_tokens_as_asked_for(
    directory: Path, kind: type[CoderLsp] | type[Transformers]
) -> None:
    threads = torch.get_num_threads()
    engine = kind(directory, "cpu")
    answer = engine.answer([5] * 40, 12)
    assert answer.tokens == 12
    assert 0 < answer.first_ms <= answer.total_ms
    assert engine.cancel([5] * 40, 1, after=60) is None
    stopped = engine.cancel([5] * 40, 1500, after=0.05)
    assert stopped is not None
    assert stopped >= 0
    assert engine.figures().memory > 10 << 20
    torch.set_num_threads(threads)


def test_prompts_are_code_and_typing_changes_their_end(directory: Path) -> None:
    prompts = Prompts(directory, VOCABULARY)
    prompt = prompts.draw(100)
    assert len(prompt) == 100
    assert prompts.draw(100) != prompt
    typed = prompts.typed(prompt, 8)
    assert typed[:-8] == prompt[:-8]
    assert len(typed) == 100
    assert max(Prompts(directory.parent, 7).draw(200)) == 6


def test_a_cell_says_median_spread_and_multiple() -> None:
    assert cell([3.0, 1.0, 2.0], 0.5) == "2.0 (1.0-3.0) **4.0x**"
    assert cell([2.0], None) == "2.0 (2.0-2.0)"
    assert cell([], 1.0) == "-"
