"""The Socket.IO APIs that the checker knows, such as Nest's.

Each API is called a dialect. A finding explains the fix in the dialect of the checked file.
"""

from typing import Literal, get_args

from lab.check.scopes import Module

Dialect = Literal["node", "nest", "python-socketio", "flask"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)


def sources_of(module: Module) -> set[str]:
    """Return the names of the modules that a module's top-level imports load.

    The names are as written in the imports, such as "socket.io" or "./rooms".
    """
    return {variable.imported[0] for variable in module.names.values() if variable.imported}


def dialect_of(module: Module, *, is_flask_project: bool) -> Dialect:
    """Return the Socket.IO API that a module uses, such as "nest".

    A Python file that imports neither python-socketio nor Flask-SocketIO counts as Flask-SocketIO if `is_flask_project`
    is True: another file of the project imports Flask-SocketIO.
    """
    sources = sources_of(module)
    if module.source.language == "py":
        flask = "flask_socketio" in sources or (is_flask_project and "socketio" not in sources)
        return "flask" if flask else "python-socketio"
    return "nest" if any(source.startswith("@nestjs/") for source in sources) else "node"
