"""Python that a model wrote, run where it can do no harm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CONFINED = Path(__file__).with_name("confined.py")
LONGEST_REPORT = 2_000
PATIENCE = 4
"""How much longer a program may take on the clock than on the processor."""


class SandboxUnavailable(Exception):
    """This machine cannot confine a program. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a program ended. `detail` is its error."""

    outcome: Literal["passed", "failed", "timed out"]
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


async def run_tests(program: str, *, seconds: int = 3, megabytes: int = 512) -> Verdict:
    """Run a Python program that raises where it is wrong, and say how it ended.

    `seconds` are the processor's, so that a busy machine changes no verdict; on the clock it may
    take four times as long. The program has the standard library, nothing on its input, and nobody
    sees its output; it cannot start processes or threads, write files, read the user's, or reach
    the network. One that ends without reaching its last line has failed. That protects the machine,
    not the verdict: a program bent on it can claim to have passed.

    Raises SandboxUnavailable, and does not run the program, where the machine cannot confine it.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable("Generated code runs confined, and that needs Linux.")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-s", "-S", "-B", CONFINED),
        *map(str, (seconds, megabytes, os.getpid())),
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        cwd="/",
        env={"PYTHONHASHSEED": "0"},  # so that the order in a set is no matter of luck
        start_new_session=True,
    )
    try:
        return await _verdict(process, program, PATIENCE * seconds)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # with what it wrote unread, waiting might have no end


async def _verdict(process: Process, program: str, patience: float) -> Verdict:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # it ended: then its output says why
        process.stdin.write(program.encode(errors="replace"))
        await process.stdin.drain()
    process.stdin.close()
    first = await process.stdout.readline()
    if first != b"ready\n":
        why = (first + await process.stdout.read()).decode(errors="replace")
        raise SandboxUnavailable(
            "Generated code runs confined, and this machine cannot do that: "
            f"{why.strip()}. It takes Linux 5.13 with Landlock, and libseccomp.so.2."
        )
    try:
        report, code = await asyncio.wait_for(_end(process, process.stdout), patience)
    except asyncio.TimeoutError:
        return Verdict("timed out", f"not done after {patience:.0f} s")
    outcome, _, detail = report.partition(" ")
    if outcome == "passed":
        return Verdict("passed")
    if outcome == "failed":
        return Verdict("failed", detail)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return Verdict("timed out", "too long on the processor")
    return Verdict("failed", f"ended its process with {code}")


async def _end(process: Process, output: asyncio.StreamReader) -> tuple[str, int]:
    """What a confined process says, and its exit code, when it has ended."""
    report = await output.read(LONGEST_REPORT)
    return report.decode(errors="replace"), await process.wait()
