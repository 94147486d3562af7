"""Python that a model wrote, run where it can do no harm."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

CONFINED = Path(__file__).with_name("confined.py")
LONGEST_REPORT = 2_000
PATIENCE = 20
"""How much longer a program may take on the clock than on the processor."""


class SandboxUnavailable(Exception):
    """This machine cannot confine a program. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a program ended. `detail` is its error, `output` what a script wrote."""

    outcome: Literal["passed", "failed", "timed out"]
    detail: str = ""
    output: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


async def run_tests(program: str, *, seconds: int = 3, megabytes: int = 512) -> Verdict:
    """Run a Python program that raises where it is wrong, and say how it ended.

    `seconds` are the processor's, so that a busy machine changes no verdict; on the clock it may
    take twenty times as long. The program has the standard library, nothing on its input, and
    nobody sees its output; it cannot start processes, write files, read the user's, or reach the
    network. One that ends without reaching its last line has failed. That protects the machine, not
    the verdict: a program bent on it can claim to have passed.

    Raises SandboxUnavailable, and does not run the program, where the machine cannot confine it.
    """
    report, code = await _run(program, "tests", DEVNULL, DEVNULL, seconds, megabytes)
    outcome, _, detail = report.partition(" ")
    if outcome == "passed":
        return Verdict("passed")
    if outcome == "failed":
        return Verdict("failed", detail)
    return _ended(code, seconds)


async def run_script(
    program: str, given: str, *, seconds: int = 3, megabytes: int = 512
) -> Verdict:
    """Run a Python program as a script with `given` on its input, and say how it ended, and what it
    wrote. It has passed if its exit code is 0. Confined as by `run_tests`, and raises the same."""
    with _file(given) as source, _file("") as target:
        _, code = await _run(program, "script", source, target, seconds, megabytes)
        if code != 0:
            return _ended(code, seconds)
        target.seek(0)
        return Verdict("passed", output=target.read().decode(errors="replace"))


async def _run(
    program: str,
    role: Literal["tests", "script"],
    source: int | IO[bytes],
    target: int | IO[bytes],
    seconds: int,
    megabytes: int,
) -> tuple[str, int | None]:
    """What a program reports, and its exit code; none if it had to be ended."""
    if sys.platform != "linux":
        raise SandboxUnavailable("Generated code runs confined, and that needs Linux.")
    with _file(program) as opened:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-s", "-S", "-B", CONFINED, role),
            *map(str, (opened.fileno(), seconds, megabytes, os.getpid())),
            stdin=source,
            stdout=target,
            stderr=PIPE,
            pass_fds=(opened.fileno(),),
            cwd="/",
            env={"PYTHONHASHSEED": "0"},  # so that the order in a set is no matter of luck
            start_new_session=True,
        )
    try:
        return await _end(process, PATIENCE * seconds)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # with what it wrote unread, waiting might have no end


@contextmanager
def _file(text: str) -> Iterator[IO[bytes]]:
    """A file without a name that holds a text, open at its start."""
    with TemporaryFile() as file:
        file.write(text.encode(errors="replace"))
        file.seek(0)
        yield file


async def _end(process: Process, patience: float) -> tuple[str, int | None]:
    assert process.stderr is not None
    first = await process.stderr.readline()
    if first != b"ready\n":
        why = (first + await process.stderr.read()).decode(errors="replace")
        raise SandboxUnavailable(
            "Generated code runs confined, and this machine cannot do that: "
            f"{why.strip()}. It takes Linux 5.13 with Landlock, and libseccomp.so.2."
        )
    try:
        return await asyncio.wait_for(_report(process, process.stderr), patience)
    except asyncio.TimeoutError:
        return "", None


async def _report(process: Process, output: asyncio.StreamReader) -> tuple[str, int]:
    report = await output.read(LONGEST_REPORT)
    return report.decode(errors="replace"), await process.wait()


def _ended(code: int | None, seconds: int) -> Verdict:
    """The verdict on a program that did not say how it ended."""
    if code is None:
        return Verdict("timed out", f"not done after {PATIENCE * seconds} s")
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return Verdict("timed out", "too long on the processor")
    return Verdict("failed", f"ended its process with {code}")
