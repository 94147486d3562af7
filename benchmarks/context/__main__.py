"""Benchmarks of cross-file context.

python -m benchmarks.context quality --packages flask==3.0.3 requests==2.32.3 --seed 1
python -m benchmarks.context speed --packages Django==5.1.4
"""

from __future__ import annotations

import argparse

from benchmarks.context import quality, speed


def main() -> None:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.context", description=__doc__)
    commands = parser.add_subparsers(required=True)
    quality.add_command(commands.add_parser("quality", help=quality.SUMMARY))
    speed.add_command(commands.add_parser("speed", help=speed.SUMMARY))
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
