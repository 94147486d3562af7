"""A process that gives up all that the test of a function does not need, and then runs a program:
`python confined.py ROLE PROGRAM SECONDS MEGABYTES PARENT`. PROGRAM is the number of an open file,
and PARENT the id of the process that waits.

On its standard error it says "ready" when it is confined. Anything else is why it could not confine
itself, and then the program has not run. In the role `tests` it then says how the program ended; as
a `script` the program runs to the end of the process. What is left to it, also as root:

- system calls that compute, tell the time, read or start threads (seccomp): no processes, no
  network, no signals to others, no new privileges, no file created, changed or removed but what its
  standard input and output are;
- to read, the standard library and the system's own libraries; whether there is a file of some
  name, and how large it is, can still be asked of all others (Landlock);
- so many seconds of the processor, so much memory and output, few open files (resource limits).
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SYSTEM_CALLS = """
    access brk clock_getres clock_gettime clock_nanosleep close exit exit_group faccessat faccessat2
    fstat futex getcwd getdents64 getegid geteuid getgid getpid getppid getrandom gettid
    gettimeofday getuid lseek lstat madvise mmap mprotect mremap munmap nanosleep newfstatat poll
    ppoll pread64 pselect6 read readlink readlinkat rseq rt_sigaction rt_sigprocmask rt_sigreturn
    sched_getaffinity sched_yield select set_robust_list sigaltstack stat statx sysinfo time uname
    write
"""
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
OPEN_FILES = 32
LONGEST_OUTPUT = 64 << 20
LONGEST_REPORT = 2_000  # less than what a pipe holds while nobody reads

_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38

# Landlock: these numbers are the same on all processors. Of what it controls, later versions add
# only what the allowed system calls cannot reach.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_EVERYTHING = (1 << 13) - 1

# libseccomp's. A refused call is as if unknown to the kernel: libc then takes an older one.
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.ENOSYS
_MASKED_EQUAL = 7
_OPEN_FLAGS = 2  # the argument of openat
_CHANGES = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
_CLONE_FLAGS = 1 if os.uname().machine.startswith("s390") else 0  # the argument of clone
_THREAD, _NAMESPACES = 0x00010000, 0x7E020000  # flags of clone

_libc = ctypes.CDLL(None, use_errno=True)


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("path", ctypes.c_int32))


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def main() -> None:
    role = sys.argv[1]
    file, seconds, megabytes, parent = map(int, sys.argv[2:])
    with os.fdopen(file, encoding="utf-8", newline="") as opened:
        program = opened.read()
    report = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        confine(seconds, megabytes, parent)
    except Exception as error:  # whatever it is, the program does not run
        os.write(report, str(error).encode())
        return
    os.write(report, b"ready\n")
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # as by the module site, not loaded here
    if role == "script":
        os.close(report)
        sys.argv = ["solution.py"]
        exec(compile(program, "solution.py", "exec", dont_inherit=True), {"__name__": "__main__"})
        return
    os.write(report, outcome(program).encode(errors="replace")[:LONGEST_REPORT])
    os._exit(0)


def outcome(tests: str) -> str:
    """How a program ended that raises where something is wrong."""
    try:
        exec(compile(tests, "<string>", "exec", dont_inherit=True), {})
    except BaseException as error:
        return f"failed {type(error).__name__}: {error}"
    return "passed"


def confine(seconds: int, megabytes: int, parent: int) -> None:
    """Give up all else for good. Raises an error that says what is missing where that cannot be."""
    _call("no new privileges", _libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _call("end with the parent", _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:  # it ended before it was asked for that signal
        raise OSError("nobody waits for the program")
    _limit_resources(seconds, megabytes)
    _limit_reading()
    _limit_system_calls()


def _limit_resources(seconds: int, megabytes: int) -> None:
    # A program may catch the signal at the first limit of time, not the one at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST_OUTPUT, LONGEST_OUTPUT))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_reading() -> None:
    rights = ctypes.c_uint64(_EVERYTHING)
    size = ctypes.c_size_t(ctypes.sizeof(rights))
    rules = _call(
        "Landlock (Linux 5.13, switched on in the kernel)",
        _libc.syscall(_CREATE_RULESET, ctypes.byref(rights), size, 0),
    )
    for path in _readable():
        allowed = _READ_FILE | _READ_DIRECTORY if path.is_dir() else _READ_FILE
        opened = os.open(path, os.O_PATH)
        rule = _PathRule(allowed, opened)
        added = _libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0)
        _call("a Landlock rule", added)
        os.close(opened)
    _call("Landlock", _libc.syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _readable() -> Iterator[Path]:
    python = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    for path in map(Path, (*python, f"{sys.base_prefix}/lib", *LIBRARIES)):
        if path.exists():
            yield path


def _limit_system_calls() -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(_REFUSE))
    for name in SYSTEM_CALLS.split():
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # not every processor has every call
            _call(name, seccomp.seccomp_rule_add_array(rules, _ALLOW, number, 0, None))
    for name, allowed in (
        ("openat", _Comparison(_OPEN_FLAGS, _MASKED_EQUAL, _CHANGES, 0)),  # to read
        ("clone", _Comparison(_CLONE_FLAGS, _MASKED_EQUAL, _THREAD | _NAMESPACES, _THREAD)),
    ):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        condition = ctypes.byref(allowed)
        _call(name, seccomp.seccomp_rule_add_array(rules, _ALLOW, number, 1, condition))
    _call("seccomp", seccomp.seccomp_load(rules))


def _call(purpose: str, result: int) -> int:
    """The result of a call of libc's or libseccomp's, which say in two ways what went wrong."""
    if result < 0:
        error = os.strerror(ctypes.get_errno() if result == -1 else -result)
        raise OSError(f"{purpose}: {error}")
    return result


if __name__ == "__main__":
    main()
