from __future__ import annotations

import datetime
import logging
import math
import os
import sqlite3
import stat
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion import statistics
from lsp_server.completion.statistics import (
    DAYS_KEPT,
    Fate,
    Statistics,
    bucket_of,
    default_file,
    reset,
    summary,
)
from lsp_server.endpoints import STATE_VARIABLE

DAY = datetime.date(2026, 3, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "statistics.sqlite3"


def on(day: datetime.date, file: Path) -> Statistics:
    return Statistics(file, today=lambda: day)


def test_counts_by_language(file: Path) -> None:
    counting = on(DAY, file)
    for language in ("python", "python", "go"):
        counting.shown(language)
    counting.ended("python", Fate.ACCEPTED, 12, 4)
    counting.ended("python", Fate.REJECTED)
    counting.ended("go", Fate.ACCEPTED, 3, 1)
    counting.kept("python", "30 s", True)
    counting.kept("python", "30 s", False)
    counting.close()
    seen = summary(file=file)
    assert seen.days == ("2026-03-01",)
    assert seen.counts == {
        "shown": 3,
        "accepted": 2,
        "rejected": 1,
        "accepted characters": 15,
        "accepted tokens": 5,
        "looked for after 30 s": 2,
        "still there after 30 s": 1,
    }
    assert seen.languages["go"]["shown"] == 1
    assert seen.languages["python"]["accepted characters"] == 12


def test_what_was_counted_too_early_is_taken_back(file: Path) -> None:
    counting = on(DAY, file)
    counting.ended("go", Fate.ACCEPTED, 10, 3)
    counting.flush()
    counting.ended("go", Fate.ACCEPTED, 10, 3, times=-1)
    counting.ended("go", Fate.REJECTED)
    counting.close()
    assert +summary(file=file).counts == {"rejected": 1}


def test_requests_by_outcome_with_their_latencies(file: Path) -> None:
    counting = on(DAY, file)
    for milliseconds in range(1, 101):
        counting.request("suggested", milliseconds, "go")
    for _ in range(900):
        counting.request("disabled", 0.01, "go")
    counting.generated(50, "go")
    counting.close()
    seen = summary(file=file)
    assert seen.outcomes == {"suggested": 100, "disabled": 900}
    assert seen.counts == {"generated tokens": 50}
    for share, true in ((0.5, 50), (0.95, 95), (0.99, 99)):
        assert seen.percentile(share) == pytest.approx(true, rel=0.1)
    assert seen.percentile(0.5, ["disabled"]) == pytest.approx(0.5, abs=0.5)
    assert seen.percentile(0.5, ["cached"]) is None


@given(st.lists(st.floats(0.01, 100_000), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_percentile_is_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    latencies = Counter(bucket_of(value) for value in values)
    seen = statistics.Summary((), Counter(), {}, {"cached": latencies})
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    estimate = seen.percentile(share)
    assert estimate is not None
    assert abs(bucket_of(estimate) - bucket_of(true)) <= 1


def test_only_the_days_that_are_asked_for(file: Path) -> None:
    for back in (0, 1, 9):
        counting = on(DAY - datetime.timedelta(days=back), file)
        counting.shown("go")
        counting.close()
    assert summary(file=file).counts["shown"] == 3
    assert summary(DAY - datetime.timedelta(days=1), file).counts["shown"] == 2


def test_old_days_are_dropped(file: Path) -> None:
    old = on(DAY - datetime.timedelta(days=DAYS_KEPT + 1), file)
    old.shown("go")
    old.close()
    assert summary(file=file).counts["shown"] == 1
    new = on(DAY, file)
    new.shown("go")
    new.close()
    assert summary(file=file).counts["shown"] == 1


def test_nothing_there_yet(file: Path) -> None:
    assert summary(file=file).days == ()
    reset(file)
    assert not file.exists()


def test_forgotten(file: Path) -> None:
    counting = on(DAY, file)
    counting.shown("go")
    counting.close()
    reset(file)
    assert summary(file=file).days == ()
    counting.shown("go")
    counting.close()
    assert summary(file=file).counts["shown"] == 1


def test_switched_off_nothing_is_written(file: Path) -> None:
    counting = Statistics(file, enabled=False)
    counting.shown("go")
    counting.request("suggested", 1, "go")
    counting.ended("go", Fate.ACCEPTED, 1, 1)
    counting.close()
    assert list(file.parent.iterdir()) == []


def test_written_after_a_moment_by_itself(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "FLUSH_SECONDS", 0.01)
    counting = on(DAY, file)
    for total in (1, 2):
        counting.shown("go")
        deadline = time.monotonic() + 10
        while summary(file=file).counts["shown"] < total and time.monotonic() < deadline:
            time.sleep(0.01)
        assert summary(file=file).counts["shown"] == total


def test_many_at_a_time(file: Path) -> None:
    def count() -> None:
        counting = on(DAY, file)
        for _ in range(3):
            counting.shown("go")
            counting.flush()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert summary(file=file).counts["shown"] == 24


@pytest.mark.skipif(sys.platform == "win32", reason="the profile folder is private there")
def test_for_its_user_only(file: Path) -> None:
    before = os.umask(0)
    try:
        counting = on(DAY, file)
        counting.shown("go")
        counting.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_beside_the_state_of_the_model_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    assert default_file().parent == tmp_path / "state"
    counting = Statistics()
    counting.shown("go")
    counting.close()
    assert summary().counts["shown"] == 1


def damaged_header(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)


def damaged_pages(file: Path) -> None:
    counting = on(DAY, file)
    for number in range(2000):
        counting.shown(f"language {number}")
    counting.close()
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


@pytest.mark.parametrize("damage", [damaged_header, damaged_pages])
def test_a_damaged_file_is_set_aside(
    damage: object, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(damage)
    damage(file)
    damaged = file.read_bytes()
    with pytest.raises(sqlite3.DatabaseError):
        summary(file=file)
    counting = on(DAY, file)
    counting.shown("go")
    counting.close()
    assert summary(file=file).counts["shown"] == 1
    assert file.with_suffix(".damaged").read_bytes() == damaged
    assert "damaged" in caplog.text


def test_several_at_a_time_set_a_damaged_file_aside_once(file: Path) -> None:
    damaged_header(file)

    def count() -> None:
        counting = on(DAY, file)
        counting.shown("go")
        counting.flush()

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert summary(file=file).counts["shown"] == 6


def test_a_file_that_is_in_use_is_waited_for_or_tried_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(statistics, "BUSY_SECONDS", 0.01)
    counting = on(DAY, file)
    counting.shown("go")
    counting.flush()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(3):
            counting.shown("go")
            counting.flush()
        other.execute("ROLLBACK")
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    counting.close()
    assert summary(file=file).counts["shown"] == 4


def test_where_nothing_can_be_written_nothing_is_raised(tmp_path: Path) -> None:
    counting = on(DAY, tmp_path / "missing" / "statistics.sqlite3")
    counting.shown("go")
    counting.close()
    (tmp_path / "missing").mkdir()
    counting.close()
    assert summary(file=tmp_path / "missing" / "statistics.sqlite3").counts["shown"] == 1


def test_only_counts_are_kept(file: Path) -> None:
    counting = on(DAY, file)
    counting.shown("go")
    counting.request("cached", 3, "go")
    counting.close()
    with closing(sqlite3.connect(file)) as db:
        rows = sorted(db.execute("SELECT * FROM counts"))
    assert rows == [
        ("2026-03-01", "go", f"request cached {bucket_of(3)}", 1),
        ("2026-03-01", "go", "shown", 1),
    ]
