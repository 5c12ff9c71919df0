"""Command line of the server. Without a subcommand such as `token`, the program serves clients."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

# Only light modules are imported up here, and none of this package: worker processes load this file by its path, too.

# the company in the examples and in the tokens of development mode
EXAMPLE_COMPANY = "acme"


def main(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` name, and return its exit code.

    Without `arguments`, those of the process are used. A wrong option or setting leads to exit code 2 and one line on
    stderr.
    """
    from .command_line import make_parser
    from .settings import SettingsError, load_settings

    parser = make_parser()
    add_workers(parser)
    options = parser.parse_args(arguments)
    if options.command == "new":
        return _new(options)
    try:
        return COMMANDS[options.command](load_settings(), options)
    except SettingsError as error:
        print(f"{__package__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the option `--workers` to a parser. Its value is the number of server processes."""
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
        raise SettingsError(f"a token for the role {options.role} names a company: give --company") from None
    return 0


def _serve(settings: Any, options: argparse.Namespace) -> int:
    from .app import create_app
    from .auth import make_token
    from .claims import RoleClaim
    from .roles import EXAMPLE_ROOM

    # checked here too, so that a wrong option or setting is reported before any token is printed
    _check_workers(settings, options.workers)
    create_app(settings)
    # with a secret of its own, a token for an admin does not belong on the screen or in a log
    if settings.env == "development" and settings.has_published_secret:
        print("development mode; one token per role, for an hour at most:")
        life_seconds = min(3600, settings.token_life_seconds)
        reachable = RoleClaim(settings).reachable
        width = max((len(role) for role in reachable), default=0)
        for role in reachable:
            claims = {"company": EXAMPLE_COMPANY, "rooms": [EXAMPLE_ROOM], "life_seconds": life_seconds}
            print(f"  {role:<{width}} {make_token(settings, f'{role}-1', role, **claims)}")
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
    With exit code 2, one line that starts with `name` is printed on stderr.
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


def _publish(settings: Any, options: argparse.Namespace) -> int:
    from .publish_command import publish

    print(publish(settings, options))
    return 0


def _new(options: argparse.Namespace) -> int:
    from .new.command import run
    from .new.names import NewError

    # without the settings: a skeleton does not depend on those of this folder
    try:
        print(run(options))
    except NewError as error:
        print(f"{__package__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
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
    "publish": _publish,
}


if __name__ == "__main__":
    sys.exit(main())
