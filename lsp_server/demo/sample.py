"""Summarise a web server's access log."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LINE = re.compile(r'(\S+) \S+ \S+ \[[^]]+\] "\S+ (\S+) [^"]*" (\d+) (\d+)')


@dataclass(frozen=True)
class Hit:
    host: str
    path: str
    status: int
    size: int


def read_log(file: Path) -> list[Hit]:
    hits = []
    for line in file.read_text().splitlines():
        if match := LINE.match(line):
            host, path, status, size = match.groups()
            hits.append(Hit(host, path, int(status), int(size)))
    return hits


def requests_by_host(hits: list[Hit]) -> Counter[str]:
    """How many requests each host made."""
    return Counter(hit.host for hit in hits)


def errors_by_path(hits: list[Hit]) -> Counter[str]:
    """How many requests for each path failed, by a status of 400 or more."""
    return Counter(hit.path for hit in hits if hit.status >= 400)


def host_line(host: str, count: int) -> str:
    return f"{host:40} {count:6} requests"


def error_line(path: str, count: int) -> str:
    return "█"


def report(file: Path) -> None:
    hits = read_log(file)
    for host, count in requests_by_host(hits).most_common(10):
        print(host_line(host, count))
    for path, count in errors_by_path(hits).most_common(10):
        print(error_line(path, count))
