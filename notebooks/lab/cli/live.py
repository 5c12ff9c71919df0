"""The command `lab live`: runs `bad_server` and `good_server`. The user tries both servers on a local page."""

import argparse
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

MOST_PORT = 65_535


def add_command(commands: Any) -> None:
    """Adds `live` to the commands of `lab`."""
    live = commands.add_parser(
        "live",
        help="play with both servers on a local page",
        description="Starts a bad and a good server with a few simulated people, and shows both side by side in the"
        " browser. There you send messages, pull plugs, close tabs and kill the servers, and see on both sides what"
        " arrives. It ends with Ctrl-C, or a few seconds after the page is closed.",
        epilog="example: lab live 03; without a browser on this computer: lab live 03 --no-browser",
    )
    live.add_argument("number", metavar="NN", nargs="?", help="the mistake, by default 03")
    live.add_argument("--port", metavar="N", type=int, default=0, help="the page's port; by default a free one")
    live.add_argument("--no-browser", action="store_true", help="only print the address")
    live.add_argument("--stills", metavar="FOLDER", help="only write the README's pictures of the page into a folder")
    live.set_defaults(run=_live)


def _live(options: argparse.Namespace) -> int:
    if not 0 <= options.port <= MOST_PORT:
        raise UsageError(f"there is no port {options.port}; a port is a number from 0 to {MOST_PORT}")
    # heavy modules are imported only when a command needs them
    from lab.servers.process import ServerError

    interrupt_on_sigterm()
    try:
        run_until_interrupted(_show(options) if options.stills is None else _take_stills(Path(options.stills)))
    except ServerError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_NOT_DONE
    return EXIT_DONE


def _show(options: argparse.Namespace) -> Coroutine[Any, Any, None]:
    from lab.live.arrangement import arrangement
    from lab.live.serve import Address, serve_until_closed

    chosen, address = arrangement(options.number), Address.reserve(options.port)
    return serve_until_closed(chosen, address, is_browser_wanted=not options.no_browser, say=_say)


def _take_stills(folder: Path) -> Coroutine[Any, Any, None]:
    from lab.live.stills import take_stills

    return take_stills(folder, _say)


def _say(text: str) -> None:
    print(text, flush=True)
