"""Command line of the bad server, which exists only for learning.

`python -m bad_server` starts one server with ten common Socket.IO mistakes.
"""

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs the bad server, and returns the exit code.

    The server has ten common Socket.IO mistakes, each in its own namespace. The exit code is 0, or 2 if a setting is
    wrong or a port is in use. With exit code 2, stderr gets one line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bad_server",
        description="Serves the ten mistakes in /mistake-01 to /mistake-10. Tokens: python -m good_server token.",
        epilog="example: SERVER_PORT=9001 python -m bad_server",
    )
    from good_server.__main__ import add_workers, run

    add_workers(parser)
    options = parser.parse_args(arguments)

    from bad_server.app import create_app
    from good_server.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"bad_server: {error}", file=sys.stderr)
        return 2
    # not the good server's ports, so that both servers can run at the same time
    ports = {"port": 8001, "internal_port": 8011}
    free = {name: port for name, port in ports.items() if name not in settings.model_fields_set}
    return run("bad_server", settings.model_copy(update=free), create_app, workers=options.workers)


if __name__ == "__main__":
    sys.exit(main())
