"""Measures the CPU time of a server and of the load generator."""

import time
from typing import Self

from lab.bench.peers import Server


class CpuMeter:
    """Measures the CPU time of a server and of this process.

    This process is the load generator. The meter counts CPU and wall-clock time only inside its `with` block. The times
    of several blocks are added.
    """

    def __init__(self, server: Server) -> None:
        self.cpu_seconds = self.wall_seconds = self._generator_seconds = 0.0
        self._server = server

    def __enter__(self) -> Self:
        self._add(-1)
        return self

    def __exit__(self, *_: object) -> None:
        self._add(1)

    def _add(self, sign: int) -> None:
        self.wall_seconds += sign * time.perf_counter()
        self._generator_seconds += sign * time.process_time()
        self.cpu_seconds += sign * self._server.cpu_seconds()

    @property
    def generator_share(self) -> float:
        """CPU time of the load generator, divided by the wall-clock time.

        The value 1 means that the load generator used one core all the time.
        """
        return self._generator_seconds / self.wall_seconds
