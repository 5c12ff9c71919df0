"""Tells how checked code runs, such as later or in a thread."""

from lab.check.collect import STARTERS
from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.ir import Await, Block, Call, Func, If, Loop, Member, Node, This, Try
from lab.check.scopes import Variable, class_of, enclosing
from lab.check.tags import Tag

# functions that run another one in a thread or a process
OFFLOADS = {"to_thread", "run_in_executor", "run_sync", "submit", "run_in_threadpool", "sync_to_async", "Worker"}
# functions that start a coroutine, or run a function later
TASK_STARTERS = {*STARTERS, "create_task", "ensure_future"}


def is_statement(node: Node) -> bool:
    """Tell whether an expression is a statement: nothing uses its value."""
    match node.parent:
        case None | Try() | Func():
            return True
        case Block(kind=kind):
            return kind != "comprehension"
        case If(test=test):
            return test is not node and not _is_in_comprehension(node)
        case Loop(iterable=iterable):
            return iterable is not node and not _is_in_comprehension(node)
    return False


def _is_in_comprehension(node: Node) -> bool:
    above = node.parent
    while isinstance(above, If | Loop):
        above = above.parent
    return isinstance(above, Block) and above.kind == "comprehension"


def is_async_server(facts: Facts, server: Node) -> bool:
    """Tell whether a Python object is an `AsyncServer` or an `AsyncNamespace`."""
    if isinstance(server, This):
        cls = class_of(server)
        return cls is not None and any("AsyncNamespace" in facts.project.outside(base) for base in cls.bases)
    if Tag.SERVER not in facts.values.of(server):
        return False
    made = facts.project.meaning(server)
    if isinstance(made, Variable) and made.values:
        # it may be one of several
        return False
    if isinstance(made, Variable) and made.param is not None and made.param.type.endswith("AsyncServer"):
        return True
    if isinstance(made, Call) and (name := facts.project.outside(made.func)):
        return name.endswith(".AsyncServer")
    # a server that comes from elsewhere: another place awaits what it returns
    return any(
        isinstance(node.value, Call)
        and isinstance(node.value.func, Member)
        and node.value.func.name in ("emit", "enter_room")
        and Tag.SERVER in facts.values.of(node.value.func.obj)
        for _, node in facts.nodes(Await)
        if isinstance(node, Await)
    )


def is_offloaded(node: Node) -> bool:
    """Tell whether code runs in a thread or process of its own.

    That is so if the code, `node`, is inside a function that is passed to a call such as `to_thread`.
    """
    for func in enclosing(node, Func):
        call = func.parent
        if isinstance(call, Call) and getattr(call.func, "name", "") in OFFLOADS:
            return True
    return False


def runs_later(facts: Facts, node: Node) -> bool:
    """Tell whether code is inside a function that is started later.

    `node` is the code. A function is started later if it is started as a task, in a thread or with a timer, such as
    `setTimeout`.
    """
    for func in enclosing(node, Func):
        if id(func) in facts.values.uses.later:
            return True
        for call in facts.values.uses.callers.get(id(func), []):
            above = call.parent
            if isinstance(above, Call) and getattr(above.func, "name", "") in TASK_STARTERS:
                return True
    return False


def uses_threads(facts: Facts, node: Node) -> bool:
    """Tell whether the handlers in the file of `node` run in threads.

    `node` is a piece of the checked code. If the handlers run in threads, a handler that blocks does not stop the
    others.
    """
    module = facts.project.module_of(node)
    if module.source.language != "py":
        return False
    if facts.dialect(module.path) == "flask":
        return True
    servers = [facts.project.outside(server.node.func) for server in facts.servers if isinstance(server.node, Call)]
    return bool(servers) and all(name == "socketio.Server" for name in servers)


def call_from(facts: Facts, handler: Handler, node: Node) -> Node:
    """Return where to report `node`, in the handler's file if possible.

    `node` is code that runs in `handler` and that a rule reports. The result is `node` itself if `node` is in the
    handler's file. Otherwise the result is the call in the handler's file that leads to `node`. If there is no such
    call, the result is `node`.
    """
    module = facts.project.module_of(handler.func)
    if facts.path_of(node) == module.path:
        return node
    here = [func for func in module.funcs if handler in facts.handlers.running.get(id(func), [])]
    calls = [part for func in here for part in func.parts() if isinstance(part, Call)]
    callees = [(call, callee) for call in calls for callee in facts.project.callees(call)]
    direct = (call for call, callee in callees if _holds(callee, node))
    indirect = (call for call, callee in callees if _leads(facts, callee, node))
    return next(direct, None) or next(indirect, node)


def _holds(func: Func, node: Node) -> bool:
    return func in enclosing(node, Func)


def _leads(facts: Facts, func: Func, node: Node) -> bool:
    calls = (part for part in func.parts() if isinstance(part, Call))
    return any(_holds(callee, node) for call in calls for callee in facts.project.callees(call))
