"""What became of suggestions and requests, counted by day and language on this machine only.

Counts are all there is: no code, no file names. Several language servers add to one SQLite file.
"""

from __future__ import annotations

import datetime
import logging
import math
import os
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from filelock import FileLock

from lsp_server.endpoints import state_dir

FLUSH_SECONDS = 5.0
"""Counts are on disk at most so much later."""
BUSY_SECONDS = 5.0
"""Longest wait for another process that writes."""
DAYS_KEPT = 400
BUCKETS_PER_DOUBLING = 4
"""Of the histogram of latencies: each bucket ends 19 % above where it begins."""

CHECKS = ((30.0, "30 s"), (300.0, "5 min"))
"""How many seconds after its acceptance a text is looked for, and what that is called."""
ANSWERED = ("suggested", "cached", "attached")
"""Outcomes with a suggestion, by name: the others' latencies say nothing of how fast those come."""

_Key = tuple[str, str, str]
"""A count's day, language and name."""
_REQUEST = "request "
_SCHEMA = """
CREATE TABLE IF NOT EXISTS counts (
    day TEXT NOT NULL, language TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (day, language, name)) WITHOUT ROWID
"""
_ADD = """
INSERT INTO counts VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET number = number + excluded.number
"""

log = logging.getLogger(__name__)


class Fate(Enum):
    """What became of a suggestion that was shown. Each ends in exactly one of these."""

    ACCEPTED = "accepted"
    PARTLY = "partly accepted"
    TYPED = "typed through"
    REJECTED = "rejected"
    PASSED = "passed"
    """Neither used nor refused: it was gone before it could be read, or the cursor left it."""


class Statistics:
    """Counts, kept in memory for a moment and then added to the file by a thread.

    Its methods never block and never raise: what cannot be written is tried again later. While
    `enabled` is False nothing is counted.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        enabled: bool = True,
        today: Callable[[], datetime.date] = datetime.date.today,
    ) -> None:
        self.enabled = enabled
        self._file = file
        self._today = today
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._cannot_write = False
        self._waiting: Counter[_Key] = Counter()
        self._timer: threading.Timer | None = None

    def shown(self, language: str) -> None:
        """A suggestion was shown."""
        self._add(language, "shown")

    def ended(
        self, language: str, fate: Fate, characters: int = 0, tokens: float = 0.0, times: int = 1
    ) -> None:
        """A suggestion that was shown ended so, with so much of it accepted; `times` is -1 to take
        back what was counted too early."""
        self._add(language, fate.value, times)
        self._add(language, "accepted characters", times * characters)
        self._add(language, "accepted tokens", times * round(tokens))

    def kept(self, language: str, after: str, still_there: bool) -> None:
        """An accepted text was looked for, so long (of CHECKS) after its acceptance."""
        self._add(language, f"looked for after {after}")
        self._add(language, f"still there after {after}", int(still_there))

    def request(self, outcome: str, milliseconds: float, language: str) -> None:
        """A request ended with an outcome, by its name, after so long."""
        self._add(language, f"{_REQUEST}{outcome} {bucket_of(milliseconds)}")

    def generated(self, tokens: int, language: str) -> None:
        """The model generated so many tokens, for a request or ahead of one."""
        self._add(language, "generated tokens", tokens)

    def flush(self) -> None:
        """Add what is waiting to the file, now. Blocks, and never raises."""
        with self._writing:
            with self._lock:
                waiting, self._waiting, self._timer = self._waiting, Counter(), None
            if not waiting:
                return
            try:
                _write(self._file or default_file(), waiting, self._today())
                self._cannot_write = False
            except (sqlite3.Error, OSError) as error:
                if not self._cannot_write:
                    log.warning("statistics are not written: %s", error)
                self._cannot_write = True
                with self._lock:
                    self._waiting.update(waiting)

    def close(self) -> None:
        """Write what is left; for the end of the process."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.flush()

    def _add(self, language: str, name: str, number: int = 1) -> None:
        if not (self.enabled and number):
            return
        with self._lock:
            self._waiting[self._today().isoformat(), language, name] += number
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()


@dataclass(frozen=True)
class Summary:
    """Counts of some days: by name, by language and name, and latencies by a request's outcome."""

    days: tuple[str, ...]
    counts: Counter[str]
    languages: dict[str, Counter[str]]
    latencies: dict[str, Counter[int]]

    @property
    def outcomes(self) -> Counter[str]:
        """How many requests ended in each outcome."""
        return Counter({name: buckets.total() for name, buckets in self.latencies.items()})

    def percentile(self, share: float, outcomes: Iterable[str] = ANSWERED) -> float | None:
        """The milliseconds within which this share (0 to 1) of the requests with these outcomes was
        answered, within 10 %; None without any."""
        buckets: Counter[int] = Counter()
        for outcome in outcomes:
            buckets.update(self.latencies.get(outcome, ()))
        return _percentile(buckets, share)


def bucket_of(milliseconds: float) -> int:
    """The bucket of a latency; the first one is for all below a millisecond."""
    if milliseconds < 1:
        return 0
    return 1 + math.floor(BUCKETS_PER_DOUBLING * math.log2(milliseconds))


def default_file() -> Path:
    """Where statistics are kept: beside the model server's state, for their user only."""
    return state_dir() / "statistics.sqlite3"


def summary(since: datetime.date | None = None, file: Path | None = None) -> Summary:
    """What was counted since a day, or ever. Raises sqlite3.Error when the file cannot be read."""
    days: set[str] = set()
    counts: Counter[str] = Counter()
    languages: defaultdict[str, Counter[str]] = defaultdict(Counter)
    latencies: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for day, language, name, number in _rows(file or default_file(), since):
        days.add(day)
        if name.startswith(_REQUEST):
            outcome, bucket = name.removeprefix(_REQUEST).split()
            latencies[outcome][int(bucket)] += number
        else:
            counts[name] += number
            languages[language][name] += number
    return Summary(tuple(sorted(days)), counts, dict(languages), dict(latencies))


def reset(file: Path | None = None) -> None:
    """Forget all that was counted. Raises sqlite3.Error or OSError when that cannot be done."""
    file = file or default_file()
    if file.exists():
        _change(file, lambda db: db.execute("DELETE FROM counts"))


def _rows(file: Path, since: datetime.date | None) -> list[tuple[str, str, str, int]]:
    if not file.exists():
        return []
    with closing(_connect(file)) as db:
        query = "SELECT day, language, name, number FROM counts WHERE day >= ?"
        return db.execute(query, (since.isoformat() if since else "",)).fetchall()


def _write(file: Path, counts: Counter[_Key], today: datetime.date) -> None:
    oldest = today - datetime.timedelta(days=DAYS_KEPT)

    def add(db: sqlite3.Connection) -> None:
        db.executemany(_ADD, [(*key, number) for key, number in counts.items()])
        db.execute("DELETE FROM counts WHERE day < ?", (oldest.isoformat(),))

    _change(file, add)


def _change(file: Path, action: Callable[[sqlite3.Connection], object]) -> None:
    """Do it in one transaction; a damaged file is set aside, and a new one begun."""
    try:
        _try(file, action)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        with FileLock(file.with_suffix(".lock")):
            try:  # another process may have been here first
                _try(file, action)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                log.warning("the statistics are damaged, and set aside: %s", error)
                file.replace(file.with_suffix(".damaged"))
                _try(file, action)


def _try(file: Path, action: Callable[[sqlite3.Connection], object]) -> None:
    # created unreadable to others, not made so afterwards; on Windows the profile folder is private
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(_connect(file)) as db, db:
        action(db)


def _connect(file: Path) -> sqlite3.Connection:
    """For a moment only: what is held open cannot be set aside on Windows."""
    db = sqlite3.connect(file, timeout=BUSY_SECONDS)
    try:
        db.execute(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Not a file that is locked, or a disk that is full: those have classes of their own."""
    return type(error) is sqlite3.DatabaseError


def _percentile(buckets: Counter[int], share: float) -> float | None:
    """By interpolation inside the bucket that it falls into."""
    rank = share * buckets.total()
    for bucket in sorted(buckets):
        if buckets[bucket] and rank <= buckets[bucket]:
            within = bucket - 1 + rank / buckets[bucket]
            return 2 ** (within / BUCKETS_PER_DOUBLING) if bucket else rank / buckets[bucket]
        rank -= buckets[bucket]
    return None
