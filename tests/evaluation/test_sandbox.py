"""What programs try that a model might write, and that none of it works. Each attempt is a program
that ends well where it gets what it wants."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.evaluation import sandbox
from lsp_server.evaluation.sandbox import SandboxUnavailable, Verdict, run_script, run_tests

CLONE = (
    f"syscall({56 if platform.machine() == 'x86_64' else 220}, {int(signal.SIGCHLD)}, 0, 0, 0, 0)"
)
FORK_IN_A_THREAD = """
import os, threading
forked = []
thread = threading.Thread(target=lambda: forked.append(os.fork()))
thread.start()
thread.join()
assert forked
"""


@pytest.fixture(autouse=True, scope="module")
def confinable() -> None:
    try:
        asyncio.run(run_tests(""))
    except SandboxUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("hunter2")
    return path


async def test_a_program_that_raises_nothing_passes() -> None:
    assert await run_tests("assert 1 + 1 == 2") == Verdict("passed")


async def test_a_program_that_raises_fails_and_says_why() -> None:
    verdict = await run_tests("assert 1 + 1 == 3, 'wrong'")
    assert verdict == Verdict("failed", "AssertionError: wrong")


async def test_it_has_the_standard_library() -> None:
    modules = "bisect, decimal, hashlib, heapq, json, math, random, re, ssl, statistics, zlib"
    md5 = "assert hashlib.md5(b'a').hexdigest() == '0cc175b9c0f1b6a831c399e269772661'"
    assert (await run_tests(f"import {modules}\n{md5}")).passed


async def test_text_is_text() -> None:
    assert (await run_tests("assert len('Prüfung ✓') == 9; print('✓')")).passed


async def test_what_it_prints_is_nobodys_matter() -> None:
    assert (await run_tests("for _ in range(1000): print('x' * 100_000)")).passed


async def test_the_order_of_a_set_is_no_matter_of_luck() -> None:
    order = "raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert await run_tests(order) == await run_tests(order)


@pytest.mark.parametrize("code", ["exit", "quit", "import sys; sys.exit", "import os; os._exit"])
async def test_one_that_ends_before_its_tests_fails(code: str) -> None:
    assert (await run_tests(f"{code}(0)\nassert False")).outcome == "failed"


async def test_a_program_may_end_itself() -> None:
    assert await run_tests("exit(3)") == Verdict("failed", "SystemExit: 3")


async def test_one_that_crashes_fails() -> None:
    crash = "import ctypes; ctypes.string_at(0)"
    assert await run_tests(crash) == Verdict("failed", f"ended its process with {-signal.SIGSEGV}")


@pytest.mark.parametrize("handler", ["SIG_DFL", "SIG_IGN"])
async def test_a_program_has_so_much_of_the_processor(
    handler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE", 600)
    loop = f"import signal as s; s.signal(s.SIGXCPU, s.{handler})\nwhile True: pass"
    assert await run_tests(loop, seconds=1) == Verdict("timed out", "too long on the processor")


async def test_a_program_that_waits_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE", 1)
    sleep = "import time; time.sleep(600)"
    assert await run_tests(sleep, seconds=1) == Verdict("timed out", "not done after 1 s")


async def test_memory_is_limited() -> None:
    fits = "kept = bytearray(100 << 20)"
    assert (await run_tests(fits, megabytes=512)).passed
    assert await run_tests(fits, megabytes=64) == Verdict("failed", "MemoryError: ")


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("import os; os.fork()", id="fork"),
        pytest.param("import ctypes; assert ctypes.CDLL(None).fork() >= 0", id="fork of libc"),
        pytest.param("import subprocess; subprocess.run(['true'])", id="subprocess"),
        pytest.param("import os; assert os.system('true') == 0", id="shell"),
        pytest.param("import os; os.posix_spawn('/bin/true', ['true'], {})", id="spawn"),
        pytest.param(f"import ctypes; assert ctypes.CDLL(None).{CLONE} >= 0", id="clone"),
        pytest.param(FORK_IN_A_THREAD, id="fork in a thread"),
        pytest.param("import multiprocessing as m; m.Process(target=print).start()", id="process"),
    ],
)
async def test_it_starts_no_processes(program: str) -> None:
    verdict = await run_tests(program)
    assert verdict.outcome == "failed"
    assert "ended its process" not in verdict.detail


async def test_it_starts_threads() -> None:
    program = """
import threading
from concurrent.futures import ThreadPoolExecutor

threading.stack_size(64 << 20)  # as deep recursion wants it
sums = []
thread = threading.Thread(target=lambda: sums.append(sum(range(10))))
thread.start()
thread.join()
assert sums == [45]
threading.stack_size(0)
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
"""
    assert await run_tests(program) == Verdict("passed")


async def test_threads_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE", 600)
    loop = "import threading\ndef spin():\n    while True: pass\n"
    loops = f"{loop}for _ in range(3): threading.Thread(target=spin).start()"
    assert await run_tests(f"{loops}\nspin()", seconds=1) == Verdict(
        "timed out", "too long on the processor"
    )


async def test_threads_end_when_there_are_too_many() -> None:
    bomb = (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()"
    )
    verdict = await run_tests(bomb, megabytes=128)
    assert verdict.detail == "RuntimeError: can't start new thread"
    assert confined_processes() == []


async def test_it_becomes_no_other_program() -> None:
    refused = "import os\ntry: os.execv('/bin/true', ['true'])\nexcept OSError: pass"
    assert (await run_tests(refused)).passed


async def test_a_fork_bomb_does_not_go_off() -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: break"
    assert (await run_tests(bomb)).passed  # at its first fork it is told that there are none
    assert confined_processes() == []


@pytest.mark.parametrize(
    "script",
    [
        "print(int(input()) + int(input()))",
        "import sys; print(sum(map(int, sys.stdin.buffer.read().split())))",
        "print(sum(map(int, open(0))))",
        "import os; os.write(1, b'%d' % sum(map(int, os.read(0, os.fstat(0).st_size).split())))",
        "import os, sys; print(sum(map(int, sys.stdin)), flush=True); os._exit(0)",
        "import sys; print(sum(map(int, sys.stdin))); sys.exit()",
        "import atexit, sys; atexit.register(lambda: print(sum(map(int, sys.stdin))))",
        "import sys, threading\n"
        "threading.Thread(target=lambda: print(sum(map(int, sys.stdin)))).start()",
        "if __name__ == '__main__': import sys; print(sum(map(int, sys.stdin)))",
    ],
)
async def test_a_script_reads_its_input_and_writes_its_output(script: str) -> None:
    verdict = await run_script(script, "1\n2\n")
    assert (verdict.outcome, verdict.output.strip()) == ("passed", "3")


async def test_a_script_fails_by_its_exit_code() -> None:
    assert await run_script("exit(3)", "") == Verdict("failed", "ended its process with 3")
    assert await run_script("assert False", "") == Verdict("failed", "ended its process with 1")
    assert await run_script("x = (", "") == Verdict("failed", "ended its process with 1")
    assert (await run_script("while True: pass", "", seconds=1)).outcome == "timed out"


async def test_a_script_writes_only_so_much() -> None:
    script = "import os\nfor _ in range({}): os.write(1, b'x' * 2**20)"
    assert len((await run_script(script.format(8), "")).output) == 8 << 20
    assert (await run_script(script.format(100), "")).outcome == "failed"


async def test_the_users_files_are_not_read(secret: Path) -> None:
    assert (await run_tests(f"open({str(secret)!r}).read()")).outcome == "failed"
    assert (await run_tests(f"import os; os.listdir({str(secret.parent)!r})")).outcome == "failed"
    assert (await run_tests("open('/proc/self/environ').read()")).outcome == "failed"


@pytest.mark.parametrize(
    "attempt",
    [
        "open(path, 'w')",
        "open(path, 'a').write('x')",
        "open(path + '2', 'x')",
        "os.open(path, os.O_RDONLY | os.O_TRUNC)",
        "os.truncate(path, 0)",
        "os.remove(path)",
        "os.rename(path, path + '2')",
        "os.link(path, path + '2')",
        "os.symlink(path, path + '2')",
        "os.chmod(path, 0)",
        "os.chown(path, 1, 1)",
        "os.utime(path, (0, 0))",
        "os.mkdir(path + '2')",
        "__import__('sqlite3').connect(path + '2').execute('create table t (c)')",
    ],
)
async def test_no_file_is_written_or_changed(secret: Path, attempt: str) -> None:
    before = status(secret)
    program = f"import os; path = {str(secret)!r}; {attempt}"
    assert (await run_tests(program)).outcome == "failed"
    assert secret.read_text() == "hunter2"
    assert status(secret) == before
    assert list(secret.parent.iterdir()) == [secret]


async def test_the_network_is_out_of_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = server.getsockname()
        connect = f"import socket; socket.create_connection({address!r}, timeout=2)"
        assert (await run_tests(connect)).outcome == "failed"
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "target", ["os.getppid()", "-1", f"{os.getpid()}"], ids=["parent", "all", "tests"]
)
async def test_it_ends_nobody_else(target: str) -> None:
    # With signal 0 nothing would come of it but the answer that it may.
    assert (await run_tests(f"import os; os.kill({target}, 0)")).outcome == "failed"


async def test_nothing_of_the_environment_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    assert (await run_tests("import os; assert 'TOKEN' not in os.environ")).passed


async def test_open_files_are_not_passed_on(secret: Path) -> None:
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        read = f"import os; os.read({file.fileno()}, 9)"
        assert (await run_tests(read)).outcome == "failed"


@pytest.mark.parametrize("size", [60_000, 10_000_000])
async def test_much_output_where_the_verdict_is_read_is_no_verdict(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE", 1)
    flood = f"import os\nfor each in range(3, 32):\n    try: os.write(each, b'x' * {size})\n"
    verdict = await run_tests(f"{flood}    except OSError: pass\nos._exit(0)", seconds=1)
    assert not verdict.passed


async def test_a_long_error_is_cut() -> None:
    verdict = await run_tests("raise ValueError('x' * 10_000_000)")
    assert verdict.outcome == "failed"
    assert len(verdict.detail) < 10_000


async def test_an_error_that_cannot_be_told_is_a_failure() -> None:
    error = "class Error(Exception):\n    def __str__(self): raise SystemExit\nraise Error"
    assert (await run_tests(error)).outcome == "failed"


@pytest.mark.parametrize("program", ["\0", "(" * 10_000, "x = (", "'\ud800'; assert False"])
async def test_what_is_no_python_fails(program: str) -> None:
    assert (await run_tests(program)).outcome == "failed"


async def test_a_cancelled_run_leaves_nothing_behind() -> None:
    run = asyncio.create_task(run_tests("import time; time.sleep(600)"))
    await asyncio.wait_for(first_child(os.getpid()), 30)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert confined_processes() == []


async def test_a_program_ends_with_who_runs_it() -> None:
    runs = (
        "import asyncio; from lsp_server.evaluation.sandbox import run_tests;"
        "asyncio.run(run_tests('import time; time.sleep(600)', seconds=600))"
    )
    runner = await asyncio.create_subprocess_exec(sys.executable, "-c", runs)
    child = await asyncio.wait_for(first_child(runner.pid), 30)
    runner.kill()
    await asyncio.wait_for(end_of(child), 30)
    await runner.wait()


def test_it_does_not_run_where_nobody_waits_any_more() -> None:
    """As when who runs it ended while it began."""
    command = [sys.executable, "-S", str(sandbox.CONFINED), "tests", "0", "1", "512", "0"]
    done = subprocess.run(command, input=b"", stderr=subprocess.PIPE, check=True)
    assert done.stderr == b"nobody waits for the program"


@pytest.mark.parametrize("missing", ["prctl", "syscall", "libseccomp"])
async def test_where_it_cannot_be_confined_it_does_not_run(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel without Landlock or seccomp, and without the library."""
    hindered = tmp_path / "hindered.py"
    hindered.write_text(HINDERED.format(missing=missing, confined=str(sandbox.CONFINED)))
    monkeypatch.setattr(sandbox, "CONFINED", hindered)
    ran = tmp_path / "ran"
    with pytest.raises(SandboxUnavailable, match="libseccomp"):
        await run_tests(f"open({str(ran)!r}, 'w')")
    assert not ran.exists()


async def test_it_takes_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="Linux"):
        await run_tests("")


def test_it_is_loaded_where_a_system_has_none_of_these_signals() -> None:
    hidden = "import asyncio, signal; del signal.SIGXCPU, signal.SIGKILL"
    loads = f"{hidden}\nimport lsp_server.evaluation.sandbox"
    subprocess.run([sys.executable, "-c", loads], check=True)


HINDERED = """
import ctypes, runpy, types

class Library(ctypes.CDLL):
    def __init__(self, name, **options):
        if name and "{missing}" in name:
            raise OSError("libseccomp.so.2: no such file")
        super().__init__(name, **options)

    def __getattr__(self, name):
        return (lambda *arguments: -1) if name == "{missing}" else super().__getattr__(name)

ctypes.CDLL = Library
runpy.run_path("{confined}", run_name="__main__")
"""


def status(path: Path) -> tuple[int, int, int, int]:
    """What a program might change of a file, its text aside."""
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_mtime_ns, found.st_ctime_ns


def confined_processes() -> list[int]:
    """Children of this process that run confined programs."""
    return [pid for pid, parent in processes() if parent == os.getpid() and is_confined(pid)]


def is_confined(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"confined.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def processes() -> Iterator[tuple[int, int]]:
    """Ids of processes and of their parents; none that has ended."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                yield int(stat.parent.name), int(parent)


async def first_child(parent: int) -> int:
    while True:
        for pid, its_parent in processes():
            if its_parent == parent and is_confined(pid):
                return pid
        await asyncio.sleep(0.05)


async def end_of(pid: int) -> None:
    while pid in dict(processes()):
        await asyncio.sleep(0.05)
