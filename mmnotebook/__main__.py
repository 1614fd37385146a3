"""Command line: `python -m mmnotebook demo`, `doctor` and `run`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmnotebook as mm

EXIT_CODES = """\
exit codes:
  0    the run is done; elements may have failed, up to the share of --max-failed
  1    the run failed
  2    the arguments or the graph cannot be used; nothing was run
  130  stopped by Ctrl-C (SIGINT)
  143  stopped by SIGTERM
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 for success, 1 for failure, 130 if interrupted.

    `run` has further ones, which `python -m mmnotebook run --help` lists.
    """
    args = _parser().parse_args(argv)
    if args.command == "run":
        from mmnotebook.export import job

        return job.run(args)
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo|doctor|run")
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
    _add_run(commands)
    return parser


def _add_run(commands: Any) -> None:
    """Add the command `run` to the commands of a parser."""
    parser = commands.add_parser(
        "run",
        help="run a graph from a .mmgraph file",
        description="Run a graph from a .mmgraph file, which mm.export.graph wrote.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("graph", type=Path, metavar="GRAPH", help="the .mmgraph file")
    for option, metavar, words in _SEVERAL:
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=words)
    parser.add_argument("--limit", type=int, metavar="N", help="use N elements of each source")
    parser.add_argument("--until", metavar="NODE", help="run this node and what it needs only")
    parser.add_argument(
        "--max-failed",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="share of a node's elements that may fail, from 0 to 1 (default: 0.1)",
    )
    parser.add_argument("--fresh", action="store_true", help="read nothing from the cache")
    parser.add_argument(
        "--on",
        type=Path,
        metavar="FILE",
        help="a cluster: runner, staging, worker_pool and a table options, in a .toml file",
    )
    parser.add_argument(
        "--progress",
        choices=("text", "json", "none"),
        default="text",
        help="how to write events to stderr, one a line (default: text)",
    )
    parser.add_argument(
        "--summary",
        choices=("text", "json", "none"),
        default="text",
        help="how to write the summary to stdout (default: text)",
    )


_SEVERAL = (
    ("--set", "NAME=VALUE", "data of the graph: a path or glob; a function: module:function"),
    ("--model", "NAME=PATH", "the file of a model of the graph"),
    ("--functions", "MODULE", "functions of the graph: a .py file, a module, or module:function"),
    ("--output", "NODE=PATH", "write a node's elements to a .parquet, .csv or .jsonl file"),
)


if __name__ == "__main__":
    sys.exit(main())
