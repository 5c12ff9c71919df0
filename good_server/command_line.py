"""The options and commands of the command line."""

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]


class OneLineParser(argparse.ArgumentParser):
    """Command-line parser that reports a wrong argument in one line. The exit code is then 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    from .optional_parts import has_part
    from .settings.product import TITLE

    command = f"python -m {__package__}"
    parser: argparse.ArgumentParser = OneLineParser(
        prog=command,
        description=f"{TITLE} over Socket.IO. Without a command: serve.",
        epilog=f"example: SERVER_PORT=9000 {command}",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_token(commands, command)
    _add_contract(commands, command)
    commands.add_parser(
        "worker",
        help="make the reports that servers with the same SERVER_REDIS_URL accept, and publish them",
        epilog=f"example: SERVER_REDIS_URL=redis://127.0.0.1:6379/0 {command} worker",
    )
    _add_publish(commands, command)
    # a product does not need it
    if has_part("new"):
        from .new.command import add_parser

        add_parser(commands, command)
    return parser


def _add_token(commands: "Commands", command: str) -> None:
    from .roles import EXAMPLE_ROOM, NEEDS_COMPANY, TOPIC, Role

    token = commands.add_parser(
        "token",
        help="print a token that a server with the same settings accepts",
        epilog=f"example: {command} token --user ana --role {next(iter(Role))} --room {EXAMPLE_ROOM}",
    )
    needed_by = f"; required for {', '.join(sorted(NEEDS_COMPANY))}" if NEEDS_COMPANY else ""
    token.add_argument("--user", required=True, help="the user id, 1 to 128 of A-Z a-z 0-9 . _ @ + | -")
    token.add_argument("--role", required=True, choices=list(Role))
    token.add_argument("--company", help=f"the company of the user{needed_by}")
    token.add_argument("--room", action="append", default=[], help=f"a topic room, {TOPIC}:<id>; may be repeated")
    token.add_argument("--ttl", type=int, default=3600, help="life in seconds (3600)")


def _add_contract(commands: "Commands", command: str) -> None:
    contract = commands.add_parser(
        "contract",
        help="print every event, payload, ack and refusal, for programs in other languages",
        epilog=f"example: {command} contract --typescript > events.ts",
    )
    form = contract.add_mutually_exclusive_group(required=True)
    form.add_argument("--asyncapi", action="store_true", help="as an AsyncAPI 3.0 document in JSON")
    form.add_argument("--typescript", action="store_true", help="as the event maps of socket.io-client's Socket")


def _add_publish(commands: "Commands", command: str) -> None:
    publish = commands.add_parser(
        "publish",
        help="send a message to rooms, through Redis or the internal port",
        epilog=f"example: {command} publish --event server:closing --data '{{\"retry_in\": 30}}' --to user:ana",
    )
    publish.add_argument("--event", required=True, help="an event that the server sends")
    publish.add_argument("--data", required=True, help="its data, a JSON object")
    help_text = "a room of a user, role, company or topic; may be repeated"
    publish.add_argument("--to", required=True, action="append", metavar="ROOM", help=help_text)
