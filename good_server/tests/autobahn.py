"""Runs the Autobahn cases against a WebSocket server that echoes.

Its arguments are `autobahn URL [CASE …]`. kosoku brings the cases, and drives them. It runs in a process of its own, as
it changes `sys.path` and `binascii`.
"""

import asyncio
import json
import os
import sys

# compression: this server does not negotiate it (row 17)
COMPRESSION = ["12.*", "13.*"]


def row(result):
    """Return what a case showed, as JSON can hold it."""
    return {
        "case": result.case_id,
        "behavior": result.behavior.value,
        "close": result.behavior_close.value,
        "passed": result.passed,
        # the server must end the TCP connection, so that no client has to wait for it
        "left_open": result.was_server_connection_drop_timeout or result.dropped_by_me,
        "why": f"{result.result} {result.result_close}",
    }


async def run(url, cases):
    """Return one row per case."""
    from kosoku import FailureError, run_fuzzingclient

    try:
        results = await run_fuzzingclient(url, cases or None, COMPRESSION)
    except FailureError as failure:
        results = failure.results
    return [row(result) for result in results]


def main(url, *cases):
    for found in asyncio.run(run(url, list(cases))):
        sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    # the threads of kosoku sometimes abort the process while the interpreter ends, after all results
    os._exit(0)
