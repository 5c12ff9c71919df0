"""Finds where the checked code makes servers, and with which options."""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.check.ir import Assign, Call, Class, Const, Member, Name, Node, Record, Spread
from lab.check.project import Project
from lab.check.scopes import Module, Variable, function_of
from lab.check.tags import SERVER_MAKERS


@dataclass(slots=True, eq=False)
class Server:
    """Code that makes a Socket.IO server, or a NestJS gateway.

    A gateway is a class with socket handlers.
    """

    node: Node
    module: Module
    # option, by its name as written
    options: dict[str, Node]
    # the class of a gateway
    gateway: Class | None = None
    # whether it is a Nest adapter, which makes the server of all gateways
    adapter: bool = False

    def option(self, *names: str) -> Node | None:
        """Return the value of the first given option that is set.

        The name "cors.origin" means the option `origin` inside the option `cors`. The result is None if no given option
        is set.
        """
        for name in names:
            if name in self.options:
                return self.options[name]
        return None


def find_servers(project: Project) -> list[Server]:
    """Return the servers that the loaded files of a project create."""
    found: list[Server] = []
    for module in list(project.modules.values()):
        decorators = {id(mark): cls for cls in module.classes for mark in cls.decorators}
        made = (_server(project, module, call, decorators.get(id(call))) for call in module.calls)
        found += [server for server in made if server is not None]
    for server in found:
        _late_options(project, server)
    return found


def _server(project: Project, module: Module, call: Call, cls: Class | None) -> Server | None:
    name = getattr(call.func, "name", "")
    if name == "WebSocketGateway":
        return Server(call, module, dict(_options(project, call)), cls)
    if name == "createIOServer":
        return Server(call, module, dict(_options(project, call)), adapter=True)
    if SERVER_MAKERS.match(project.outside(call.func)):
        return Server(call, module, dict(_options(project, call)))
    return None


def _late_options(project: Project, server: Server) -> None:
    """Add the options that are set after the server is made.

    In Python these are the arguments of `socketio.init_app(app, …)`. In JavaScript these are assignments to fields of
    the options object.
    """
    if server.module.source.language != "py":
        _assigned_options(project, server)
        return
    for module in project.modules.values():
        for call in module.calls:
            if not isinstance(call.func, Member) or call.func.name != "init_app":
                continue
            if project.meaning(call.func.obj) is server.node:
                server.options.update(_options(project, call))


def _assigned_options(project: Project, server: Server) -> None:
    """Complete `server.options` with later assignments of the checked code.

    An example is `options.cors = {…}`, where `options` is an argument of the call that creates the server.
    """
    func = function_of(server.node)
    given = {arg.name for arg in getattr(server.node, "args", []) if isinstance(arg, Name)}
    for node in func.parts() if func is not None else ():
        match node:
            case Assign(target=Member(obj=Name(name=name), name=field), value=value) if name in given:
                server.options[field] = value
                server.options.update(_of_record(project, value, f"{field}."))


def _options(project: Project, call: Call) -> Iterator[tuple[str, Node]]:
    for name, value in call.keywords:
        if name:
            yield name, value
        else:
            yield from _of_record(project, value, "")
    for arg in call.args:
        yield from _of_record(project, arg, "")


def _of_record(project: Project, expr: Node, prefix: str, depth: int = 4) -> Iterator[tuple[str, Node]]:
    found = expr if isinstance(expr, Record) else project.meaning(expr)
    if not isinstance(found, Record) or depth == 0:
        return
    for key, value in found.items:
        if key is None:
            yield from _of_record(project, value.value if isinstance(value, Spread) else value, prefix, depth - 1)
        elif isinstance(key, Const):
            yield f"{prefix}{key.value}", value
            yield from _of_record(project, value, f"{prefix}{key.value}.", depth - 1)


def is_flask(project: Project, server: Node) -> bool:
    """Tell whether a Python server object comes from Flask-SocketIO."""
    made = project.meaning(server)
    if isinstance(made, Call):
        return "flask" in project.outside(made.func)
    if isinstance(made, Variable) and made.name == "socketio":
        return True
    return "flask_socketio" in project.imported_sources and "socketio" not in project.imported_sources
