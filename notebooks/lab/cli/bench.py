"""The command `lab bench`: compares `good_server` with plain python-socketio and Node's Socket.IO."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

# Heavy modules are imported only when a command needs them: a usage error should not take two seconds.
if TYPE_CHECKING:
    from lab.bench.run import Benchmark, BenchResults
    from lab.bench.sizes import Sizes

# wide enough for three peers with their spread, when the output is not a terminal
COLUMNS_WITHOUT_TERMINAL = 150
# files besides the connections: libraries, logs, the event loop
OTHER_FILES = 300


def add_command(commands: Any) -> None:
    """Adds `bench` to the commands of `lab`."""
    bench = commands.add_parser(
        "bench",
        help="compare the good server with stock python-socketio and Node's Socket.IO",
        description="Compares the good server with its peers in one run. Exit code 0 when every run succeeded, else 1.",
        epilog="example: lab bench --quick --only fanout,ack --json out.json",
    )
    bench.add_argument("--only", metavar="IDS", help="a comma-separated list of benchmarks")
    bench.add_argument(
        "--quick",
        action="store_true",
        help="measure less, in about a minute and a half; 10,000 clients only with --only",
    )
    bench.add_argument("--with-node", action="store_true", help="install socket.io 4 from npm into the user's cache")
    bench.add_argument("--json", metavar="FILE", type=Path, help="write the results as JSON")
    bench.add_argument("--figure", metavar="FILE", type=Path, help="write the results as a figure (PNG)")
    bench.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    results.check_outputs((options.json, options.figure))
    from lab.bench.sizes import FULL, QUICK

    chosen = _choose(options.only, is_quick=options.quick)
    if options.figure is not None:
        results.check_drawing()
    interrupt_on_sigterm()
    if options.with_node:
        _install_node()
    sizes = _fit_to_open_files(QUICK if options.quick else FULL)
    bench = _run(_with_enough_files(chosen, is_named=options.only is not None), sizes)
    _print(bench)
    results.write(_outputs(bench, options))
    peers = {peer.id for peer in bench.peers}
    return EXIT_DONE if all(peers <= result.samples.keys() for result in bench.results) else EXIT_NOT_DONE


def _choose(only: str | None, *, is_quick: bool) -> "list[Benchmark]":
    from lab.bench.run import BENCHMARKS

    known = {benchmark.id: benchmark for benchmark in BENCHMARKS}
    if only is None:
        return [benchmark for benchmark in known.values() if not (is_quick and benchmark.is_huge)]
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


def _fit_to_open_files(sizes: "Sizes") -> "Sizes":
    """Returns `sizes` without client groups that need too many open files.

    The clients of a group disconnect together. `sizes.leaving` has the number of clients in each group. When a group is
    removed, a warning is printed. Raises `UsageError` when the limit of open files is too low for the benchmarks.
    """
    import dataclasses

    from lab.system.open_files import open_files, raise_open_files

    raise_open_files(max(sizes.leaving) + OTHER_FILES)
    max_connections = open_files() - OTHER_FILES
    leaving = tuple(size for size in sizes.leaving if size <= max_connections)
    if sizes.members > max_connections or sizes.connections * 1.5 > max_connections or len(leaving) < 2:
        raise UsageError(f"only {open_files():,} files may be open here; raise the limit with ulimit -n 8192")
    if leaving != sizes.leaving:
        limit = f"only {open_files():,} files may be open here (ulimit -n)"
        print(f"lab: {limit}: disconnect goes up to {leaving[-1]:,}", file=sys.stderr)
    return dataclasses.replace(sizes, leaving=leaving)


def _with_enough_files(chosen: "list[Benchmark]", *, is_named: bool) -> "list[Benchmark]":
    """Returns the benchmarks whose clients fit the limit of open files.

    For a benchmark that needs more files, the function prints a warning. If the user named the benchmarks (`is_named`),
    it raises `UsageError` instead.
    """
    from lab.system.open_files import open_files, raise_open_files

    raise_open_files(max(benchmark.connections for benchmark in chosen) + OTHER_FILES)
    for benchmark in chosen:
        needed = benchmark.connections + OTHER_FILES
        if needed <= open_files():
            continue
        reason = f"{benchmark.id} needs {needed:,} open files, and only {open_files():,} are allowed here (ulimit -n)"
        if is_named:
            raise UsageError(reason)
        print(f"lab: left out: {reason}", file=sys.stderr)
    return [benchmark for benchmark in chosen if benchmark.connections + OTHER_FILES <= open_files()]


def _run(chosen: "list[Benchmark]", sizes: "Sizes") -> "BenchResults":
    from good_server.runtime import loop_factory
    from lab.bench.run import measure

    def print_progress(line: str) -> None:
        # nobody may read it, and the measurement goes on
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr)

    return run_until_interrupted(measure(chosen, sizes, on_progress=print_progress), loop_factory=loop_factory())


def _print(bench: "BenchResults") -> None:
    from lab.bench import report

    results.show(report.table(bench), *report.remarks(bench), columns=COLUMNS_WITHOUT_TERMINAL)


def _outputs(bench: "BenchResults", options: argparse.Namespace) -> list[results.Output]:
    from lab.bench import report

    outputs: list[results.Output] = []
    if options.json is not None:
        outputs.append((options.json, lambda: report.as_json(bench)))
    if options.figure is not None:
        from lab.bench.figure import draw
        from lab.figures.bars import as_png

        outputs.append((options.figure, lambda: as_png(draw(bench), dots_per_inch=150)))
    return outputs
