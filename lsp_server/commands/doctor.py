"""`coder-lsp doctor`: what is installed, what would be used, and one timed completion."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import sys
from typing import Any

import attrs

from lsp_server import __version__
from lsp_server.commands.complete import UsageError, as_json, complete_in_turn, timing
from lsp_server.completion.builder import load_builder
from lsp_server.completion.types import CompletionRequest
from lsp_server.context.privacy import Privacy
from lsp_server.inference import state
from lsp_server.inference.engines import chosen_model
from lsp_server.inference.hardware import gpu_memory_bytes
from lsp_server.inference.models.store import ModelError, ModelStore, default_root
from lsp_server.inference.supervisor import health_of
from lsp_server.lsp.logs import log_file
from lsp_server.prompt.templates import NoTemplateError
from lsp_server.prompt.tokenizer import TokenizerError
from lsp_server.settings import Settings, config_file, load

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "pygls", "lsprotocol", "aiohttp")
SAMPLE = CompletionRequest(
    path="area.py",
    language="python",
    text="def rectangle_area(width, height):\n    return \n\n\nprint(rectangle_area(2, 3))\n",
    offset=len("def rectangle_area(width, height):\n    return "),
)


def run(args: argparse.Namespace) -> int:
    """Examine and print. Returns 0 when a completion came, 1 otherwise."""
    report = asyncio.run(_examine())
    if args.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print(report)
    return 0 if report["completion"].get("text") else 1


async def _examine() -> dict[str, Any]:
    settings, problems = load()
    about = _model(settings)
    return {
        "coder-lsp": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores",
        "packages": {name: _version(name) for name in PACKAGES},
        "gpu": _gpu(),
        "settings": {
            "file": str(config_file()),
            "found": config_file().exists(),
            "problems": problems,
            "values": _shown(settings),
        },
        "model": about,
        "privacy": _privacy(settings),
        "places": {
            "models": str(default_root()),
            "model server's state and log": str(state.state_dir()),
            "language server's log": str(log_file()),
        },
        "completion": await _timed_completion(settings, about["installed"]),
        "model servers": [h for e in state.read_all() if (h := await health_of(e))],
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _gpu() -> str:
    memory = gpu_memory_bytes()
    return f"{memory / 1e9:.1f} GB of GPU memory" if memory else "none seen by nvidia-smi"


def _shown(settings: Settings) -> dict[str, Any]:
    """All values, but for the key."""
    values = attrs.asdict(settings)
    values["engine"]["api_key"] = "set" if settings.engine.api_key else None
    return values


def _privacy(settings: Settings) -> dict[str, str]:
    """The patterns of each level; what none of them names is fine."""
    wanted = settings.privacy
    rules = Privacy(wanted.never, wanted.not_shared, wanted.fine).describe()
    levels = dict.fromkeys(level for level, _ in rules)
    return {each: ", ".join(rule for level, rule in rules if level == each) for each in levels}


def _model(settings: Settings) -> dict[str, Any]:
    """The model, why it was chosen, and its template, as far as that is known without fetching."""
    about: dict[str, Any] = {
        "chosen by": "the setting" if settings.model else "the hardware",
        "engine": settings.engine.url or "local model server",
        "installed": False,
    }
    store = ModelStore()
    try:
        about["name"] = name = chosen_model(settings)
        model = store.find_tokenizer(name) if settings.engine.url else store.find(name)
        if model is None:
            return about | {"to do": f"coder-lsp models pull {name}"}
        builder = load_builder(name)
    except (ModelError, NoTemplateError, TokenizerError) as error:
        return about | {"problem": str(error)}
    return about | {
        "installed": True,
        "directory": str(model.directory),
        "window": builder.window,
        "template": builder.template.name,
        "orders": list(builder.template.orders),
    }


async def _timed_completion(settings: Settings, installed: bool) -> dict[str, Any]:
    """One sample, through the same path as an editor's request; no weights are fetched for it."""
    if not installed and settings.engine.url is None:
        return {"problem": "not tried, since the model is not here or cannot be used"}
    try:
        [suggestion] = await complete_in_turn(settings, [SAMPLE])
    except UsageError as error:
        return {"problem": str(error)}
    return as_json(suggestion) | {"timing": timing(suggestion)}


def _print(report: dict[str, Any]) -> None:
    for name, value in report.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for inner, each in value.items():
                if inner not in ("receipt", "values"):
                    print(f"  {inner}: {each if each != '' else '-'}")
        else:
            print(f"{name}: {value}")
    if not report["completion"].get("text"):
        print("No completion came. The logs say more.", file=sys.stderr)
