"""Time from the start of the language server's process to its answer to `initialize`.

Starts `coder-lsp` as an editor does, sends what that editor sends, and waits for the answer. One
start before those that count brings the files into the system's cache.

    python -m benchmarks.initialize --repeat 50
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import print_setting, spread
from lsp_server.lsp.stdio import read_message

CAPTURED = Path(__file__).parent.parent / "tests" / "lsp" / "data"


def main() -> None:
    """Parse the command line, measure, print."""
    editors = sorted(path.stem.removeprefix("initialize-") for path in CAPTURED.glob("*.json"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--editor", choices=editors, default="neovim", help="whose message is sent")
    parser.add_argument("--repeat", type=int, default=50, help="how often it is started")
    args = parser.parse_args()
    params = json.loads((CAPTURED / f"initialize-{args.editor}.json").read_text(encoding="utf-8"))
    command, message = find_command(), framed(params)
    time_one(command, message)
    times = [time_one(command, message) for _ in range(args.repeat)]
    print_setting()
    print(f"initialize: {spread(times, 95)}")


def find_command() -> str:
    """`coder-lsp` of the environment that runs this."""
    command = shutil.which("coder-lsp", path=str(Path(sys.executable).parent))
    if command is None:
        raise SystemExit(f"there is no coder-lsp next to {sys.executable}: install this project")
    return command


def framed(params: dict[str, object]) -> bytes:
    """An `initialize` request as it stands on the wire."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    body = json.dumps({**request, "params": {**params, "processId": None}}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def time_one(command: str, message: bytes) -> float:
    """Milliseconds from the start of the process to the whole answer."""
    began = time.perf_counter()
    with subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(message)
        server.stdin.flush()
        answer = read_message(server.stdout)
        taken = 1000 * (time.perf_counter() - began)
        server.stdin.close()
    assert answer is not None
    assert "capabilities" in json.loads(answer)["result"]
    return taken


if __name__ == "__main__":
    main()
