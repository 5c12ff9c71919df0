"""Command line of the server. Without a command it serves clients; commands are `token`, `contract` and `worker`."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

# Only light modules are imported up here: worker processes import this module, too.

# the room in the examples and in the tokens of development mode
EXAMPLE_ROOM = "job:17"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    A wrong option or setting leads to exit code 2 and one line on stderr.
    """
    from .settings import SettingsError, load_settings

    options = _parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](load_settings(), options)
    except SettingsError as error:
        print(f"{__package__}: {error}", file=sys.stderr)
        return 2


class OneLineParser(argparse.ArgumentParser):
    """Command-line parser that reports a wrong argument in one line. The exit code is then 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def _parser() -> argparse.ArgumentParser:
    command = f"python -m {__package__}"
    parser = OneLineParser(
        prog=command,
        description="Serves the dispatch platform over Socket.IO. Without a command: serve.",
        epilog=f"example: SERVER_PORT=9000 {command}",
    )
    add_workers(parser)
    commands = parser.add_subparsers(dest="command", metavar="token | contract | worker")
    token = commands.add_parser(
        "token",
        help="print a token that a server with the same settings accepts",
        epilog=f"example: {command} token --user ana --role driver --company acme --room {EXAMPLE_ROOM}",
    )
    token.add_argument("--user", required=True, help="the user id, 1 to 64 of A-Z a-z 0-9 . _ @ -")
    token.add_argument("--role", required=True, choices=["admin", "driver", "company", "provider", "vendor"])
    token.add_argument("--company", help="required for the role company")
    token.add_argument("--room", action="append", default=[], help="a topic room, job:<id>; may be repeated")
    token.add_argument("--ttl", type=int, default=3600, help="life in seconds (3600)")
    contract = commands.add_parser(
        "contract",
        help="print every event, payload, ack and refusal, for programs in other languages",
        epilog=f"example: {command} contract --typescript > events.ts",
    )
    form = contract.add_mutually_exclusive_group(required=True)
    form.add_argument("--asyncapi", action="store_true", help="as an AsyncAPI 3.0 document in JSON")
    form.add_argument("--typescript", action="store_true", help="as the event maps of socket.io-client's Socket")
    commands.add_parser(
        "worker",
        help="make the reports that servers with the same SERVER_REDIS_URL accept, and publish them",
        epilog=f"example: SERVER_REDIS_URL=redis://127.0.0.1:6379/0 {command} worker",
    )
    return parser


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the option `--workers`, the number of server processes, to a parser."""
    help_text = "processes on one public port (1); more than one needs SERVER_REDIS_URL; SIGHUP restarts one at a time"
    parser.add_argument("--workers", type=int, default=1, metavar="N", help=help_text)


def _print_contract(settings: Any, options: argparse.Namespace) -> int:
    from .app import create_parts, create_routes
    from .optional_parts import require_part

    require_part("contract", "the command contract")
    from .contract import asyncapi, typescript

    routes = create_routes(create_parts(settings))
    print(typescript(routes) if options.typescript else asyncapi(routes))
    return 0


def _print_token(settings: Any, options: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from .auth import make_token
    from .errors import Unauthorized
    from .roles import Role
    from .settings import SettingsError

    if settings.has_public_key:
        raise SettingsError("tokens are signed elsewhere, as SERVER_JWT_PUBLIC_KEY or _JWKS_URL is set")
    if not 0 < options.ttl <= settings.token_life_seconds:
        raise SettingsError(f"--ttl must be 1 to {settings.token_life_seconds:.0f} seconds")
    claims = {"company": options.company, "rooms": options.room, "life_seconds": options.ttl}
    try:
        print(make_token(settings, options.user, Role(options.role), **claims))
    except ValidationError as error:
        wrong = {"sub": "--user", "company": "--company", "rooms": "--room"}[str(error.errors()[0]["loc"][0])]
        raise SettingsError(f"{wrong} is not well-formed; see --help") from None
    except Unauthorized:
        raise SettingsError("a company user's token names its company: give --company") from None
    return 0


def _serve(settings: Any, options: argparse.Namespace) -> int:
    from .app import create_app
    from .auth import make_token
    from .roles import Role

    # checked here too, so that a wrong option or setting is reported before any token is printed
    _check_workers(settings, options.workers)
    create_app(settings)
    # with a secret of its own, a token for an admin does not belong on the screen or in a log
    if settings.env == "development" and settings.has_published_secret:
        print("development mode; one token per role, for an hour at most:")
        life_seconds = min(3600, settings.token_life_seconds)
        for role in Role:
            company = "acme" if role in (Role.DRIVER, Role.COMPANY) else None
            claims = {"company": company, "rooms": [EXAMPLE_ROOM], "life_seconds": life_seconds}
            print(f"  {role:<8} {make_token(settings, f'{role}-1', role, **claims)}")
    return run(__package__ or "", settings, create_app, workers=options.workers)


def _check_workers(settings: Any, workers: int) -> None:
    if workers == 1:
        return
    from .optional_parts import require_part

    require_part("cluster", "--workers")
    from .cluster.workers import check_workers

    check_workers(settings, workers)


def run(name: str, settings: Any, create: Callable[[Any], Any], *, workers: int = 1) -> int:
    """Serve clients until SIGTERM or Ctrl-C, and return the exit code.

    `create(settings)` builds the `Application`. With `workers` above 1, that many processes are forked: each builds
    its own application, and all share one port. The exit code is 0, or 2 if the port is in use or a setting is wrong.
    stderr then gets one line that starts with `name`.
    """
    from .lifecycle import serve
    from .observability import configure_logging
    from .settings import SettingsError

    configure_logging(json_lines=settings.env == "production", level=settings.log_level)
    # the default collects every 700 objects, far fewer than one turn of a busy loop makes and drops by itself
    gc.set_threshold(10_000, 20, 20)
    try:
        _check_workers(settings, workers)
        if workers == 1:
            _run_loop(lambda stop: serve(create(settings), lambda addresses: _announce([addresses]), stop))
        else:
            from .cluster.workers import run_workers

            run_workers(settings, create, serve, _announce, workers)
    except (OSError, SettingsError) as error:
        print(f"{name}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2
    return 0


def _announce(servers: Sequence[Any]) -> None:
    # one write with its newline: a reader that waits for the line may stop reading right after it
    internal = ", ".join(each.internal for each in servers)
    print(f"listening on {servers[0].public} (internal {internal})\n", end="", flush=True)


def _work(settings: Any, options: argparse.Namespace) -> int:
    from .observability import configure_logging
    from .optional_parts import require_part
    from .settings import SettingsError

    if settings.redis_url is None:
        raise SettingsError("SERVER_REDIS_URL is missing: a worker takes its reports from a queue in Redis")
    require_part("reports", "the command worker")
    from .reports.worker import run_worker

    configure_logging(json_lines=settings.env == "production", level=settings.log_level)
    _run_loop(lambda stop: run_worker(settings, lambda: print("worker ready\n", end="", flush=True), stop))
    return 0


def _run_loop(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `work(stop)` in a new event loop. SIGTERM and Ctrl-C set the event `stop`."""
    from .runtime import loop_factory

    async def run_work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, stop.set)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        await work(stop)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run_work())


COMMANDS: dict[str | None, Callable[[Any, argparse.Namespace], int]] = {
    None: _serve,
    "token": _print_token,
    "contract": _print_contract,
    "worker": _work,
}


if __name__ == "__main__":
    sys.exit(main())
