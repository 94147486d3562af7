from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands import stats
from lsp_server.completion.statistics import Fate, Statistics, default_file
from lsp_server.endpoints import STATE_VARIABLE


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    return tmp_path


def run(days: int = 30, as_json: bool = False, reset: bool = False) -> int:
    return stats.run(argparse.Namespace(days=days, json=as_json, reset=reset))


def count(days_ago: int = 0) -> None:
    day = datetime.date.today() - datetime.timedelta(days=days_ago)
    counting = Statistics(today=lambda: day)
    for _ in range(10):
        counting.shown("python")
        counting.request("cached", 8.0, "python")
    counting.request("suggested", 300.0, "python")
    counting.shown("go")
    counting.ended("python", Fate.ACCEPTED, 40, 15)
    counting.ended("python", Fate.PARTLY, 5, 5)
    counting.ended("python", Fate.TYPED)
    for _ in range(5):
        counting.ended("python", Fate.REJECTED)
    counting.ended("python", Fate.PASSED)
    counting.generated(100, "python")
    counting.kept("python", "30 s", True)
    counting.kept("python", "30 s", True)
    counting.kept("python", "5 min", True)
    counting.kept("python", "5 min", False)
    counting.close()


def report(capsys: pytest.CaptureFixture[str], days: int = 30) -> dict[str, Any]:
    assert run(days, as_json=True) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_all_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    count()
    seen = report(capsys)
    assert seen["suggestions"] == {
        "shown": 11,
        "accepted": 1,
        "partly accepted": 1,
        "typed through": 1,
        "rejected": 5,
        "passed": 1,
        "acceptance": 2 / 8,
        "still there after 30 s": 1.0,
        "still there after 5 min": 0.5,
        "accepted characters": 45,
    }
    assert seen["tokens"] == {"generated": 100, "accepted": 20, "generated for each accepted": 5.0}
    assert seen["requests"] == {"cached": 10, "suggested": 1}
    assert seen["milliseconds"]["p50"] == pytest.approx(8, rel=0.2)
    assert seen["milliseconds"]["p99"] == pytest.approx(300, rel=0.2)
    assert seen["languages"]["go"]["shown"] == 1


def test_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    count()
    assert run() == 0
    words = " ".join(capsys.readouterr().out.split())
    for each in ("shown 11", "acceptance 25%", "still there after 5 min 50%", "p95", "cached 10"):
        assert each in words
    assert "generated for each accepted 5.0" in words
    assert "python 10" in words


def test_shares_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    counting = Statistics()
    counting.shown("go")
    counting.close()
    assert report(capsys)["suggestions"]["acceptance"] is None
    assert run() == 0
    assert "acceptance -" in " ".join(capsys.readouterr().out.split())


def test_only_the_last_days(capsys: pytest.CaptureFixture[str]) -> None:
    count()
    count(days_ago=6)
    assert report(capsys, days=6)["suggestions"]["shown"] == 11
    assert report(capsys, days=7)["suggestions"]["shown"] == 22


def test_nothing_yet(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "Nothing was counted" in capsys.readouterr().out
    assert list(state.iterdir()) == []
    assert report(capsys)["suggestions"]["shown"] == 0


def test_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    count()
    assert run(reset=True) == 0
    assert "forgotten" in capsys.readouterr().out
    assert report(capsys)["suggestions"]["shown"] == 0


def test_a_damaged_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    default_file().write_bytes(b"no database" * 100)
    assert run() == 1
    assert str(default_file()) in capsys.readouterr().err
    assert run(reset=True) == 0
    assert run() == 0
