"""A real llama-server for tests: llama.cpp's own, as xllamacpp's wheels carry it, with the GGUF
file of the default model. Both are fetched once, into the cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from lsp_server.inference.models.progress import ModelError
from lsp_server.inference.models.registry import registry
from lsp_server.inference.models.sources import fetch_pinned
from lsp_server.inference.models.store import ModelStore
from tests.editors.install import cache_folder

PACKAGE = "xllamacpp==2026.10.11549"
MODEL = "qwen2.5-coder-0.5b"
WINDOW = 4096

# llama-server --model GGUF --ctx-size WINDOW --api-key KEY --port 0 --slots, until stdin closes.
SERVE = """
import os, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.api_keys = sys.argv[1], int(sys.argv[2]), [sys.argv[3]]
params.cpuparams.n_threads = max(1, (os.cpu_count() or 1) - 1)
params.port, params.endpoint_slots = 0, True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class NotAvailable(Exception):
    """llama-server or the model cannot be brought onto this machine; the message says why."""


def folder() -> Path:
    """Where all of it is kept."""
    return cache_folder() / "llama-server"


def home() -> Path:
    """A root of a model store with the default model's tokenizer."""
    return folder() / "home"


@contextmanager
def llama_server(key: str) -> Iterator[str]:
    """The base URL of a running llama-server that wants `key`. Raises NotAvailable."""
    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / ".lock"):
        package, weights = installed_package(), gguf()
    log = folder() / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(weights), str(WINDOW), key],
            env={**os.environ, "PYTHONPATH": str(package)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, f"llama-server did not start: {log.read_text(errors='replace')[-500:]}"
        yield url
    finally:
        process.stdin.close()
        process.wait(timeout=60)


def installed_package() -> Path:
    """The folder that `PACKAGE` is installed in."""
    target = folder() / PACKAGE
    if target.exists():
        return target
    partial = target.with_name(f"{target.name}.partial")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    command += ["--only-binary", ":all:", "--target", str(partial), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise NotAvailable(f"{PACKAGE} cannot be installed: {done.stderr.strip()[-300:]}")
    return partial.rename(target)


def gguf() -> Path:
    """The default model's file, as its publisher made it; its tokenizer is in `home()`."""
    (file,) = (each for each in registry()[MODEL].files if each.name.endswith(".gguf"))
    try:
        fetch_pinned(file, folder(), lambda _: None)
        ModelStore(home()).pull_tokenizer(MODEL)
    except ModelError as error:
        raise NotAvailable(str(error)) from error
    return folder() / file.name
