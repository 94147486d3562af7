"""The real huggingface_hub client in a process of its own, against a hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.inference.models.fake_hub import REVISION, FakeHub, serve

REPO = "org/tiny"
WEIGHTS = bytes(range(256)) * 40
FILES = {
    "config.json": json.dumps({"max_position_embeddings": 4096}).encode(),
    "tokenizer.json": b'{"tokens": true}',
    "tokenizer_config.json": b"{}",
    "model.safetensors": WEIGHTS,
    "README.md": b"# read me",
    "modeling_tiny.py": b"raise SystemExit",
    "pytorch_model.bin": b"pickle",
}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serve() as running:
        running.repositories[REPO] = dict(FILES)
        yield running


class Machine:
    """`coder-lsp models` with a home of its own, against one hub."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))},
            "HF_ENDPOINT": url,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "60",
            "CODER_LSP_HOME": str(home / "store"),
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def models(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "lsp_server", "models", *args, **environment)

    def incomplete_bytes(self) -> int:
        paths = (self.home / "store").rglob("*.part")
        return sum(path.stat().st_size for path in paths)

    def files(self) -> set[str]:
        models = self.home / "store" / "models"
        paths = (path for path in models.rglob("*") if path.is_file() and path.suffix != ".lock")
        return {path.relative_to(models).as_posix() for path in paths}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def machine(tmp_path: Path, hub: FakeHub) -> Machine:
    return Machine(tmp_path, hub.url)


def test_only_weights_tokenizer_and_configuration_are_fetched(
    hub: FakeHub, machine: Machine
) -> None:
    result = machine.models("pull", REPO)
    assert result.returncode == 0, result.stderr
    wanted = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert machine.files() == {f"org--tiny/{name}" for name in [*wanted, "manifest.json"]}
    assert not any("README" in each or ".py" in each or ".bin" in each for each in hub.requests)
    directory = Path(result.stdout.strip())
    assert (directory / "model.safetensors").read_bytes() == WEIGHTS
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["source"] == f"hub {REPO} at {REVISION}"
    assert manifest["window"] == 4096
    assert manifest["pinned"] is False
    assert manifest["files"]["model.safetensors"] == {
        "bytes": len(WEIGHTS),
        "sha256": hub.digest("model.safetensors", WEIGHTS),
    }
    assert machine.models("path", REPO).stdout == result.stdout
    assert machine.models("rm", REPO).returncode == 0
    assert machine.files() == set()


def test_killed_download_goes_on_where_it_stopped(hub: FakeHub, machine: Machine) -> None:
    weights = os.urandom(25_000_000)
    hub.repositories[REPO]["model.safetensors"] = weights
    hub.stall_after["model.safetensors"] = 22_000_000
    command = [sys.executable, "-m", "lsp_server", "models", "pull", REPO]
    with subprocess.Popen(command, env=machine.environment, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: machine.incomplete_bytes() >= 10_000_000)
        process.kill()
    assert not any(name.startswith("org--tiny/") for name in machine.files())
    hub.stall_after.clear()
    hub.requests.clear()
    result = machine.models("pull", REPO)
    assert result.returncode == 0, result.stderr
    ranges = [each for each in hub.requests if each.startswith("GET") and "bytes=" in each]
    assert len(ranges) == 1, hub.requests
    assert int(ranges[0].split("bytes=")[1].split("-")[0]) >= 10_000_000
    assert (Path(result.stdout.strip()) / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_wrong_hash_leaves_nothing_behind(hub: FakeHub, machine: Machine, name: str) -> None:
    stated = "0" * len(hub.digest(name, FILES[name]))
    hub.stated_digests[name] = stated
    result = machine.models("pull", REPO)
    assert result.returncode == 1
    assert f"{name} has the wrong hash: expected {stated}, got " in result.stderr
    assert machine.files() == set()


def test_sharded_weights_are_taken_rather_than_consolidated_ones(
    hub: FakeHub, machine: Machine
) -> None:
    del hub.repositories[REPO]["model.safetensors"]
    shards = {f"model-0000{n}-of-00002.safetensors": WEIGHTS + bytes([n]) for n in (1, 2)}
    index = {"model.safetensors.index.json": b'{"weight_map": {}}'}
    hub.repositories[REPO] |= {"consolidated.safetensors": WEIGHTS, **shards, **index}
    result = machine.models("pull", REPO)
    assert result.returncode == 0, result.stderr
    weights = {name for name in machine.files() if ".safetensors" in name}
    assert weights == {f"org--tiny/{name}" for name in [*shards, *index]}


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.safetensors", "no safetensors but pickles"),
        ("tokenizer.json", "has no tokenizer.json"),
        ("config.json", "has no config.json"),
    ],
)
def test_what_a_repository_lacks_is_said(
    hub: FakeHub, machine: Machine, missing: str, message: str
) -> None:
    del hub.repositories[REPO][missing]
    result = machine.models("pull", REPO)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert machine.files() == set()


def test_gated_repository_says_what_to_do(hub: FakeHub, machine: Machine) -> None:
    hub.gated.add(REPO)
    result = machine.models("pull", REPO)
    assert result.returncode == 1
    assert f"accept its terms: do so at {hub.url}/{REPO}" in result.stderr
    assert "HF_TOKEN" in result.stderr


def test_unknown_repository(machine: Machine) -> None:
    result = machine.models("pull", "org/nothing")
    assert result.returncode == 1
    assert "the hub has no org/nothing" in result.stderr


def test_hub_that_cannot_be_reached_is_said_at_once(machine: Machine) -> None:
    result = machine.models("pull", REPO, HF_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode == 1
    assert "the hub at http://127.0.0.1:9 failed" in result.stderr
    assert machine.files() == set()


def test_offline_mode_uses_the_hubs_cache_and_nothing_else(hub: FakeHub, machine: Machine) -> None:
    refused = machine.models("pull", REPO, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set, and org/tiny is not in the hub's cache" in refused.stderr
    names = [name for name in FILES if name != "README.md"]
    fill = f"import huggingface_hub as h\nfor n in {names!r}: h.hf_hub_download({REPO!r}, n)"
    filled = machine.run("-c", fill)
    assert filled.returncode == 0, filled.stderr
    hub.requests.clear()
    result = machine.models("pull", REPO, HF_HUB_OFFLINE="1")
    assert result.returncode == 0, result.stderr
    assert hub.requests == []
    assert (Path(result.stdout.strip()) / "model.safetensors").read_bytes() == WEIGHTS
    assert not any(name.endswith((".py", ".bin")) for name in machine.files())


def test_tokenizer_alone(hub: FakeHub, machine: Machine) -> None:
    script = (
        "from lsp_server.inference.models.store import ModelStore\n"
        f"store = ModelStore(); model = store.pull_tokenizer({REPO!r})\n"
        f"assert store.find({REPO!r}) is None and store.find_tokenizer({REPO!r}) == model\n"
        "print(model.window, *sorted(p.name for p in model.directory.iterdir()))\n"
    )
    result = machine.run("-c", script)
    assert result.stdout.split() == ["4096", "config.json", "manifest.json", "tokenizer.json"]
    assert not any("safetensors" in each for each in hub.requests)


def test_pinned_file_comes_from_the_first_source_that_has_the_right_bytes(
    hub: FakeHub, machine: Machine
) -> None:
    hub.repositories["org/wrong"] = {"tiny.gguf": b"something else"}
    hub.repositories["org/right"] = {"tiny.gguf": WEIGHTS}
    script = (
        "import os\n"
        "from pathlib import Path\n"
        "from lsp_server.inference.models.registry import Hub, PinnedFile\n"
        "from lsp_server.inference.models.sources import fetch_pinned\n"
        "repos = tuple(Hub(f'org/{name}') for name in ('missing', 'wrong', 'right'))\n"
        f"digest = {hub.digest('tiny.gguf', WEIGHTS)!r}\n"
        f"file = PinnedFile('tiny.gguf', {len(WEIGHTS)}, digest, repos)\n"
        "folder = Path(os.environ['CODER_LSP_HOME'])\n"
        "print(fetch_pinned(file, folder, lambda _: None))\n"
        "print(fetch_pinned(file, folder, lambda _: None))\n"
    )
    result = machine.run("-c", script)
    assert result.stdout.splitlines() == ["hub org/right", "an earlier download"], result.stderr
    assert (machine.home / "store" / "tiny.gguf").read_bytes() == WEIGHTS
    assert [path.name for path in (machine.home / "store").iterdir()] == ["tiny.gguf"]
