"""`coder-lsp stats`: what became of suggestions, as counted on this machine."""

from __future__ import annotations

import argparse
import datetime
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lsp_server.completion import statistics
from lsp_server.completion.statistics import CHECKS, Fate, Summary

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def run(args: argparse.Namespace) -> int:
    """Print counts, or forget them. Returns 0, or 1 when the file cannot be used."""
    since = datetime.date.today() - datetime.timedelta(days=args.days - 1)
    try:
        if args.reset:
            statistics.reset()
            print("All counts are forgotten.")
            return 0
        summary = statistics.summary(since)
    except (sqlite3.Error, OSError) as error:
        print(f"coder-lsp stats: {statistics.default_file()}: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(_report(summary, since), indent=2, ensure_ascii=False))
    elif summary.days:
        _print(summary, since)
    else:
        print(
            f"Nothing was counted since {since}. That begins with the first request of an editor."
        )
    return 0


def _report(summary: Summary, since: datetime.date) -> dict[str, Any]:
    """All there is to say; shares are from 0 to 1, and null where there is nothing to share."""
    return {
        "since": since.isoformat(),
        "days": len(summary.days),
        "suggestions": _suggestions(summary.counts),
        "milliseconds": {name: summary.percentile(share) for name, share in PERCENTILES.items()},
        "tokens": _tokens(summary.counts),
        "requests": dict(summary.outcomes.most_common()),
        "languages": {name: _suggestions(each) for name, each in summary.languages.items()},
    }


def _suggestions(counts: Mapping[str, int]) -> dict[str, Any]:
    ends = {fate.value: counts[fate.value] for fate in Fate}
    used = ends[Fate.ACCEPTED.value] + ends[Fate.PARTLY.value]
    still_there = {
        f"still there after {after}": _ratio(
            counts[f"still there after {after}"], counts[f"looked for after {after}"]
        )
        for _, after in CHECKS
    }
    return {
        "shown": counts["shown"],
        **ends,
        "acceptance": _ratio(used, sum(ends.values()) - ends[Fate.PASSED.value]),
        **still_there,
        "accepted characters": counts["accepted characters"],
    }


def _tokens(counts: Mapping[str, int]) -> dict[str, Any]:
    generated, accepted = counts["generated tokens"], counts["accepted tokens"]
    return {
        "generated": generated,
        "accepted": accepted,
        "generated for each accepted": _ratio(generated, accepted),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _print(summary: Summary, since: datetime.date) -> None:
    report = _report(summary, since)
    days = "1 day" if report["days"] == 1 else f"{report['days']} days"
    print(f"Since {since}, counted on {days}:")
    _print_table("suggestions", report["suggestions"])
    _print_table("milliseconds until a suggestion", report["milliseconds"])
    _print_table("tokens", report["tokens"])
    _print_table("requests", report["requests"])
    if len(report["languages"]) > 1:
        shown = Counter({name: each["shown"] for name, each in report["languages"].items()})
        _print_table("suggestions shown, by language", dict(shown.most_common()))
    print(f"\n{_EXPLANATION}")


def _print_table(title: str, rows: Mapping[str, Any]) -> None:
    print(f"\n{title}:")
    for name, value in rows.items():
        print(f"  {name:<28}{_SHOWN_AS.get(name, _as_number)(value):>10}")


def _as_number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _as_percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


_SHARES = ("acceptance", *(f"still there after {after}" for _, after in CHECKS))
_SHOWN_AS = dict.fromkeys(_SHARES, _as_percent)
_EXPLANATION = """\
Passed: gone before it could be read, or left by the cursor.
Acceptance: the share accepted, wholly or partly, of all that did not pass."""
