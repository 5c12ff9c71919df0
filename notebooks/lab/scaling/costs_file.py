"""Writes a capacity plan as JSON, and reads costs from such JSON.

A capacity plan says how many server processes are needed. It is calculated from measured costs, such as the CPU seconds
of a request.
"""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
import psutil

from lab.scaling import measure
from lab.scaling.capacity import Assumed, Plan
from lab.scaling.measure import Costs
from lab.scaling.recommend import Recommendation
from lab.system.exit_codes import UsageError

SCHEMA = 1
CPU_INFO = Path("/proc/cpuinfo")
# differences of two measurements, which noise may make negative
DIFFERENCES = {"publish", "with_id", "redis_per_id"}
OTHER_FIELDS = {"latencies"}


@dataclass(frozen=True)
class MeasuredCosts:
    """Measured costs, with the machine and the time of the measurement.

    The costs are those of requests, deliveries and connections on a server.
    """

    costs: Costs
    machine: str
    measured_at: str


async def measure_costs() -> MeasuredCosts:
    """Measures the costs of requests, deliveries and connections under load.

    Two good servers are measured, one with one process and one with two. The measurement takes about a minute. Raises
    `UsageError` when redis-server is not installed.
    """
    async with measure.BothServers() as servers:
        spread = await measure.throughput(servers, members=250, seconds=0.3)
        found = await measure.costs(servers, spread.runs[1])
    return MeasuredCosts(found, machine(), datetime.now(UTC).isoformat(timespec="seconds"))


def machine() -> str:
    """Describes this machine in one line.

    The line contains the operating system, the CPUs, and the versions of Python and python-socketio.
    """
    versions = f"Python {platform.python_version()}, python-socketio {metadata.version('python-socketio')}"
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cpus} CPUs ({_cpu_model()}), {versions}"


def _cpu_model() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown model"


def as_json(measured: MeasuredCosts, assumed: Assumed, plans: Sequence[Plan], found: Sequence[Recommendation]) -> bytes:
    """Returns the capacity plans, the recommended settings and the costs as JSON.

    A plan says how many server processes are needed. `found` are the recommended settings of a process. `lab plan
    --costs` can read the costs from this JSON.
    """
    document = {
        "schema": SCHEMA,
        "measured": {
            "at": measured.measured_at,
            "machine": measured.machine,
            "costs": asdict(measured.costs),
        },
        "assumed": asdict(assumed),
        "plans": [asdict(plan) for plan in plans],
        "settings": [asdict(one) for one in found],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def read_costs(path: Path) -> MeasuredCosts:
    """Reads measured costs, such as CPU time per event, from a file.

    The command `lab plan --json` writes such a file. Raises `UsageError` when the file cannot be read or contains no
    valid costs.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise UsageError(f"{path} is not a JSON file; --costs takes a file of lab plan --json") from None
    measured = document.get("measured") if isinstance(document, dict) else None
    if not isinstance(measured, dict) or not _are_costs(measured.get("costs")):
        raise UsageError(f"{path} has no measured costs; --costs takes a file of lab plan --json")
    return MeasuredCosts(Costs(**measured["costs"]), str(measured.get("machine")), str(measured.get("at")))


def _are_costs(costs: Any) -> bool:
    """Returns whether `costs` is a dict with valid values for `Costs`.

    The dict must have exactly the fields of `Costs`. A cost must be above zero; only a cost that is the difference of
    two measurements may be zero or negative.
    """
    if not isinstance(costs, dict) or costs.keys() != {field.name for field in fields(Costs)}:
        return False
    numbers = {name: value for name, value in costs.items() if name not in OTHER_FIELDS}
    return all(_is_number(value) and (name in DIFFERENCES or value > 0) for name, value in numbers.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
