"""Reads how many connects were dropped at a full listen queue."""

from pathlib import Path

# Linux: names and values of the counters of its TCP, in pairs of lines
NETSTAT = Path("/proc/net/netstat")
GROUP, COUNTER = "TcpExt:", "ListenOverflows"


def listen_overflows() -> float:
    """Returns how many connects were dropped since the system started.

    The operating system drops a connect when the listen queue of a server is full. The client gets no error, and sends
    the connect again after 1, 2, 4 and more seconds (RFC 6298). The result counts the dropped connects of all programs
    on this machine. It is NaN if the operating system does not count them.
    """
    if not NETSTAT.exists():
        return float("nan")
    names, values = (line.split() for line in NETSTAT.read_text().splitlines() if line.startswith(GROUP))
    return float(dict(zip(names, values, strict=True)).get(COUNTER, "nan"))
