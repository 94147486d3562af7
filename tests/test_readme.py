"""What README.md says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from lsp_server.cli import make_parser

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_its_first_two_commands_are_demo_and_test() -> None:
    block = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    commands = [line.split("#")[0].strip() for line in block[1].strip().split("\n")]
    assert commands == ["make demo", "make test"]


def test_every_command_is_known() -> None:
    parser = make_parser()
    named = set(re.findall(r"coder-lsp ([a-z-]+)(?: ([a-z]+)\b)?", README))
    help_text = parser.format_help()
    for command, _ in named - {("on", ""), ("to", "")}:
        assert command in help_text, command


def test_its_links_lead_somewhere() -> None:
    root = Path(__file__).parent.parent
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (root / target).exists(), target


def test_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"coder-lsp \d+\.\d+\.\d+\n", done.stdout)
