"""Command line: `python -m mmnotebook demo` and `python -m mmnotebook doctor`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import mmnotebook as mm


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 for success, 1 for failure, 130 if interrupted."""
    args = _parser().parse_args(argv)
    if args.command == "doctor":
        report = mm.doctor()
        print(report)
        return 0 if report.ok else 1
    from mmnotebook.ui.demo import demo

    try:
        demo(args.out, say=lambda text: print(text, flush=True))
    except mm.MMError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mmnotebook",
        description="Multi-model machine-learning pipelines in Jupyter.",
    )
    parser.add_argument("--version", action="version", version=f"mmnotebook {mm.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo|doctor")
    demo = commands.add_parser("demo", help="run the A/B tutorial and write it as one HTML file")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("mmnotebook-demo.html"),
        metavar="PATH",
        help="path of the HTML file (default: mmnotebook-demo.html in the current folder)",
    )
    commands.add_parser(
        "doctor", help="check what works here, what is missing, and how to install it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
