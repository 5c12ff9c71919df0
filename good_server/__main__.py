"""The command line: `python -m good_server` serves, `worker` makes reports, `token` and `contract` print one."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

# Only what is light is imported up here: worker processes import this module too.
if TYPE_CHECKING:
    from .app import Application
    from .lifecycle import Addresses
    from .settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code: 0, or 2 at a user's mistake with one line that names it."""
    from .settings import SettingsError, load_settings

    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        if options.command == "contract":
            return _print_contract(settings, options)
        if options.command == "worker":
            return _work(settings)
        return _print_token(settings, options) if options.command == "token" else _serve(settings, options.workers)
    except SettingsError as error:
        print(f"good_server: {error}", file=sys.stderr)
        return 2


class OneLineParser(argparse.ArgumentParser):
    """Says in one line what is wrong; the usage is a `--help` away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m good_server",
        description="Serves the dispatch platform over Socket.IO. Without a command: serve.",
        epilog="example: SERVER_PORT=9000 python -m good_server",
    )
    add_workers(parser)
    commands = parser.add_subparsers(dest="command", metavar="token | contract | worker")
    token = commands.add_parser(
        "token",
        help="print a token that a server with the same settings accepts",
        epilog="example: python -m good_server token --user ana --role driver --company acme --room job:17",
    )
    token.add_argument("--user", required=True, help="the user id, 1 to 64 of A-Z a-z 0-9 . _ @ -")
    token.add_argument("--role", required=True, choices=["admin", "driver", "company", "provider", "vendor"])
    token.add_argument("--company", help="required for the role company")
    token.add_argument("--room", action="append", default=[], help="a topic room, job:<id>; may be repeated")
    token.add_argument("--ttl", type=int, default=3600, help="life in seconds (3600)")
    contract = commands.add_parser(
        "contract",
        help="print every event, payload, ack and refusal, for programs in other languages",
        epilog="example: python -m good_server contract --typescript > events.ts",
    )
    form = contract.add_mutually_exclusive_group(required=True)
    form.add_argument("--asyncapi", action="store_true", help="as an AsyncAPI 3.0 document in JSON")
    form.add_argument("--typescript", action="store_true", help="as the event maps of socket.io-client's Socket")
    commands.add_parser(
        "worker",
        help="make the reports that servers with the same SERVER_REDIS_URL take, and tell of them",
        epilog="example: SERVER_REDIS_URL=redis://127.0.0.1:6379/0 python -m good_server worker",
    )
    return parser


def add_workers(parser: argparse.ArgumentParser) -> None:
    """The option of every server that `run` serves."""
    said = "processes that share the public port (1); more than one needs SERVER_REDIS_URL, SIGHUP renews them in turn"
    parser.add_argument("--workers", type=int, default=1, metavar="N", help=said)


def _print_contract(settings: "Settings", options: argparse.Namespace) -> int:
    from . import contract
    from .app import create_parts, create_routes

    routes = create_routes(create_parts(settings))
    print(contract.typescript(routes) if options.typescript else contract.asyncapi(routes))
    return 0


def _print_token(settings: "Settings", options: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from .auth import make_token
    from .errors import Unauthorized
    from .roles import Role

    if settings.has_public_key:
        print(
            "good_server: tokens are signed elsewhere, as SERVER_JWT_PUBLIC_KEY or _JWKS_URL is set",
            file=sys.stderr,
        )
        return 2
    if not 0 < options.ttl <= settings.token_life_seconds:
        print(f"good_server: --ttl must be 1 to {settings.token_life_seconds:.0f} seconds", file=sys.stderr)
        return 2
    try:
        token = make_token(
            settings,
            options.user,
            Role(options.role),
            company=options.company,
            rooms=options.room,
            life_seconds=options.ttl,
        )
    except ValidationError as error:
        wrong = {"sub": "--user", "company": "--company", "rooms": "--room"}[str(error.errors()[0]["loc"][0])]
        print(f"good_server: {wrong} is not well-formed; see --help", file=sys.stderr)
        return 2
    except Unauthorized as error:
        print(f"good_server: {error}: give --company", file=sys.stderr)
        return 2
    print(token)
    return 0


def _serve(settings: "Settings", workers: int) -> int:
    from .app import create_app
    from .cluster.workers import check_workers

    # here too, so that nothing is printed before
    check_workers(settings, workers)
    if settings.env == "development" and not settings.has_public_key:
        _print_tokens(settings)
    return run("good_server", settings, create_app, workers=workers)


def _print_tokens(settings: "Settings") -> None:
    from .auth import make_token
    from .roles import Role

    print("development mode; one token per role, for an hour:")
    for role in Role:
        company = "acme" if role in (Role.DRIVER, Role.COMPANY) else None
        print(f"  {role:<8} {make_token(settings, f'{role}-1', role, company=company, rooms=['job:17'])}")


def run(name: str, settings: "Settings", create: "Callable[[Settings], Application]", *, workers: int = 1) -> int:
    """Serves until SIGTERM or Ctrl-C; 0 after an orderly end, 2 when a port cannot be had or a setting does not fit.

    With more than one of `workers`, as many processes are forked that share the port, and `create` is called in each.
    """
    from .lifecycle import loop_factory
    from .observability import configure_logging
    from .settings import SettingsError
    from .cluster.workers import check_workers, run_workers

    configure_logging(json_lines=settings.env == "production")
    # the default looks for cycles every 700 objects, far fewer than one turn of a busy loop makes and drops by itself
    gc.set_threshold(10_000, 20, 20)
    try:
        check_workers(settings, workers)
        if workers > 1:
            run_workers(settings, create, _announce, workers)
            return 0
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(settings, create))
    except (OSError, SettingsError) as error:
        print(f"{name}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2
    return 0


def _announce(servers: "Sequence[Addresses]") -> None:
    # one write, newline included: whoever waits for the line may stop reading right after it
    sys.stdout.write(f"listening on {servers[0].public} (internal {', '.join(each.internal for each in servers)})\n")
    sys.stdout.flush()


def _work(settings: "Settings") -> int:
    from .lifecycle import loop_factory
    from .observability import configure_logging
    from .settings import SettingsError

    if settings.redis_url is None:
        raise SettingsError("SERVER_REDIS_URL is missing: a worker takes its reports from a queue in Redis")
    # here, as the import is heavy and needs what a server without Redis does not
    from .reports.worker import work

    def say() -> None:
        sys.stdout.write("worker ready\n")
        sys.stdout.flush()

    async def work_until_told() -> None:
        await work(settings, say, _told_to_stop())

    configure_logging(json_lines=settings.env == "production")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work_until_told())
    return 0


async def _run(settings: "Settings", create: "Callable[[Settings], Application]") -> None:
    from .lifecycle import serve

    await serve(create(settings), lambda addresses: _announce([addresses]), _told_to_stop())


def _told_to_stop() -> asyncio.Event:
    """Set at SIGTERM and Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


if __name__ == "__main__":
    sys.exit(main())
