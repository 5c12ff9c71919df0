"""Command line: runs a server with all chat features of this folder.

The environment variable `CHAT_DATABASE_URL` has the URL of the database. All other settings are the settings of
`good_server`.
"""

import sys

# Nothing of the package is imported up here: worker processes run this file too, outside of the package.


def main(arguments: list[str] | None = None) -> int:
    """Run the chat server from the command line. Return the exit code.

    The exit code is 2 after a wrong setting; stderr then gets one line. `arguments` are the command-line arguments;
    None means the arguments in `sys.argv`.
    """
    from ..__main__ import add_workers, run
    from ..command_line import OneLineParser

    command = f"python -m {__package__}"
    parser = OneLineParser(
        prog=command,
        description="Serves the platform with history, receipts, typing indicators and presence.",
        epilog=f"example: CHAT_DATABASE_URL=postgresql://chat@localhost/chat {command}",
    )
    add_workers(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--asyncapi", action="store_true", help="print the contract as AsyncAPI, do not serve")
    form.add_argument("--typescript", action="store_true", help="print the contract as TypeScript, do not serve")
    options = parser.parse_args(arguments)

    from ..settings import SettingsError, load_settings

    try:
        from .server import create_chat_app
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        print(f"{command}: pip install 'sqlalchemy[asyncio]' 'aiosqlite<0.22' asyncpg", file=sys.stderr)
        return 2
    try:
        settings = load_settings()
        application = create_chat_app(settings)
        if not (options.asyncapi or options.typescript):
            return run(command, settings, create_chat_app, workers=options.workers)
        from ..optional_parts import require_part

        require_part("contract", "--typescript and --asyncapi")
        from ..contract import asyncapi, typescript

        routes = application.gateways[0].routes()
        print(typescript(routes) if options.typescript else asyncapi(routes))
    except SettingsError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
