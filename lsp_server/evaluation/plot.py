"""Quality against latency, a point for each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.evaluation.report import Group, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class PlotError(Exception):
    """Nothing can be drawn; the message says what to do."""


def draw(runs: Sequence[Run], file: Path) -> None:
    """Write a picture, in the format of the file's ending, with a part for each group of rows.
    Raises PlotError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError("--plot needs matplotlib: pip install 'coder-lsp[eval]'") from error
    drawn = [(run, {group.name: group for group in run.groups}) for run in runs]
    names = list(dict.fromkeys(name for _, groups in drawn for name in groups))
    figure = Figure(figsize=(6.4, 4.0 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), squeeze=False)[:, 0], names, strict=True):
        for run, groups in drawn:
            if name in groups:
                _point(axes, run, groups[name])
        axes.set(title=name, xlabel="median time of an answer, ms", ylabel=f"{runs[0].metric}, %")
        axes.legend(fontsize="small")
    try:
        figure.savefig(file)
    except ValueError as error:
        raise PlotError(f"{file}: {error}") from error


def _point(axes: Axes, run: Run, group: Group) -> None:
    estimate = group.scores[run.metric]
    mean, low, high = (100 * each for each in (estimate.mean, estimate.low, estimate.high))
    milliseconds = group.milliseconds.get("total", (0.0, 0.0))[0]
    errors = [[mean - low], [high - mean]]
    axes.errorbar([milliseconds], [mean], yerr=errors, fmt="o", capsize=3, label=run.name)
