"""The invariants of ARCHITECTURE.md that imports can show."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lsp_server

ROOT = Path(lsp_server.__file__).parent
HEAVY = ("torch", "transformers")
PROTOCOL = ("pygls", "lsprotocol")
INPUT_AND_OUTPUT = (
    *("os", "io", "sys", "pathlib", "socket", "subprocess", "shutil", "tempfile", "asyncio"),
    *("time", "datetime", "random", "threading", "logging", "aiohttp", "requests", "urllib"),
)
PURE = (
    *("completion/place.py", "completion/scope.py", "completion/syntax.py"),
    *("completion/block.py", "completion/lexical.py", "completion/lines.py"),
    *("completion/loops.py", "completion/postprocess/"),
    *("completion/cache.py", "completion/pacing.py", "completion/rejections.py"),
    "completion/edits.py",
)
PACKAGES_BELOW = {
    "prompt": set(),
    "inference": {"settings", "endpoints"},
    "context": {"prompt", "settings"},
    "completion": {"context", "prompt", "inference", "settings", "endpoints"},
    "lsp": {"completion", "settings", "endpoints"},
    "evaluation": {"completion", "context", "prompt", "inference", "settings"},
    "commands": {
        *("lsp", "completion", "context", "prompt", "inference", "settings", "settings_schema"),
        *("endpoints", "evaluation"),
    },
    "settings": set(),
    "settings_schema": {"settings"},
    "endpoints": set(),
}
"""What each part of the package may import, itself aside."""


def modules() -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def imported(module: str) -> Iterator[str]:
    """Dotted names of what a module imports, inside functions too."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(module: str) -> str:
    """The part of the package that a module belongs to, by its path."""
    return module.removesuffix(".py").split("/")[0]


def top_level(names: Iterator[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("module", modules())
def test_only_lsp_knows_the_protocol(module: str) -> None:
    if not module.startswith("lsp/"):
        assert not top_level(imported(module)) & set(PROTOCOL)


@pytest.mark.parametrize("module", modules())
def test_only_inference_knows_torch(module: str) -> None:
    if not module.startswith(("inference/engine/", "inference/models/gguf.py")):
        assert not top_level(imported(module)) & set(HEAVY)


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("prompt/")])
def test_prompts_are_pure(module: str) -> None:
    assert not top_level(imported(module)) & set(INPUT_AND_OUTPUT)


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith(PURE)])
def test_what_is_pure(module: str) -> None:
    assert not top_level(imported(module)) & set(INPUT_AND_OUTPUT)


@pytest.mark.parametrize("module", modules())
def test_dependencies_point_one_way(module: str) -> None:
    part = part_of(module)
    if part not in PACKAGES_BELOW:
        return
    parts = {part_of(each) for each in modules()}
    ours = [name.split(".") for name in imported(module) if name.startswith("lsp_server.")]
    assert {name[1] for name in ours} & parts - {part} <= PACKAGES_BELOW[part]


def test_the_parts_below_form_no_circle() -> None:
    done: set[str] = set()
    while left := {
        part: below - done for part, below in PACKAGES_BELOW.items() if part not in done
    }:
        free = {part for part, below in left.items() if not below}
        assert free, f"a circle among {sorted(left)}"
        done |= free


def test_the_language_server_never_loads_torch() -> None:
    """All that a language server ever imports, in a process of its own."""
    program = (
        "import sys\n"
        "import lsp_server.lsp.server, lsp_server.completion.service\n"
        "import lsp_server.inference.engines, lsp_server.inference.models.store\n"
        f"print([name for name in {(*HEAVY, 'numpy', 'huggingface_hub')} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
