"""The command line of the bench: `lab bench` measures the good server beside its peers."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError, interrupt_on_sigterm

# What is heavy is imported when the command needs it: a wrong word should not cost two seconds.
if TYPE_CHECKING:
    from lab.bench.loads import Sizes
    from lab.bench.run import Benchmark, BenchResults

# wide enough for three peers with their spread where nobody's window says how wide
COLUMNS_WITHOUT_TERMINAL = 150
# beside the connections: libraries, logs, the loop
OTHER_FILES = 300


def add_command(commands: Any) -> None:
    """Adds it to those of `lab`."""
    bench = commands.add_parser(
        "bench",
        help="measure the good server beside stock python-socketio and Node's Socket.IO",
        description="Measures the good server beside its peers in one run. Exit 0 when every run succeeded, else 1.",
        epilog="example: lab bench --quick --only fanout,ack --json out.json",
    )
    bench.add_argument("--only", metavar="IDS", help="a comma-separated list of benchmarks")
    bench.add_argument("--quick", action="store_true", help="less of everything, in under a minute")
    bench.add_argument("--with-node", action="store_true", help="install socket.io 4 from npm into the user's cache")
    bench.add_argument("--json", metavar="FILE", type=Path, help="write the results as JSON")
    bench.add_argument("--figure", metavar="FILE", type=Path, help="write them as a picture (PNG)")
    bench.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from lab.system.atomic_file import why_not_writable

    for path in (options.json, options.figure):
        if path is not None and (why := why_not_writable(path)) is not None:
            raise UsageError(why)
    from lab.bench.loads import FULL, QUICK

    chosen = _chosen(options.only)
    interrupt_on_sigterm()
    if options.with_node:
        _install_node()
    bench = _run(chosen, _fitting(QUICK if options.quick else FULL))
    _print(bench)
    try:
        _write(bench, options)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from None
    peers = {peer.id for peer in bench.peers}
    return EXIT_DONE if all(peers <= result.samples.keys() for result in bench.results) else EXIT_NOT_DONE


def _chosen(only: str | None) -> "list[Benchmark]":
    from lab.bench.run import BENCHMARKS

    known = {benchmark.id: benchmark for benchmark in BENCHMARKS}
    if only is None:
        return list(known.values())
    wanted = [word.strip() for word in only.split(",")]
    unknown = [word for word in wanted if word not in known]
    if unknown:
        raise UsageError(f"--only: there is no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    return [benchmark for benchmark in known.values() if benchmark.id in wanted]


def _install_node() -> None:
    from lab.bench import node

    try:
        node.install()
    except node.NodeError as error:
        raise UsageError(str(error)) from None


def _fitting(sizes: "Sizes") -> "Sizes":
    """Without the crowds for which too few files may be open here; says so."""
    import dataclasses

    from lab.system.open_files import open_files, raise_open_files

    raise_open_files(max(sizes.leaving) + OTHER_FILES)
    most = open_files() - OTHER_FILES
    leaving = tuple(size for size in sizes.leaving if size <= most)
    if sizes.members > most or sizes.connections * 1.5 > most or len(leaving) < 2:
        raise UsageError(f"only {most + OTHER_FILES:,} files may be open here; raise it with ulimit -n 8192")
    if leaving != sizes.leaving:
        told = f"lab: {most + OTHER_FILES:,} files may be open here (ulimit -n): disconnect goes up to {leaving[-1]:,}"
        print(told, file=sys.stderr)
    return dataclasses.replace(sizes, leaving=leaving)


def _run(chosen: "list[Benchmark]", sizes: "Sizes") -> "BenchResults":
    from good_server.runtime import loop_factory
    from lab.bench.run import measure

    def told(line: str) -> None:
        print(line, file=sys.stderr)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(measure(chosen, sizes, told=told))


def _print(bench: "BenchResults") -> None:
    from rich.console import Console

    from lab.bench import report

    console = Console(width=None if sys.stdout.isatty() else COLUMNS_WITHOUT_TERMINAL, highlight=False)
    console.print(report.table(bench))
    for line in report.remarks(bench):
        console.print(line, markup=False)


def _write(bench: "BenchResults", options: argparse.Namespace) -> None:
    from lab.bench import report
    from lab.system import atomic_file

    if options.json is not None:
        atomic_file.write(options.json, report.as_json(bench))
    if options.figure is not None:
        from lab.bench.figure import draw
        from lab.figures.bars import as_png

        atomic_file.write(options.figure, as_png(draw(bench), dots_per_inch=150))
