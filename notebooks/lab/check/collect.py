"""Collects a checked file's calls, and what it puts into collections.

A collection is, for example, a list, a dict or a `Map`. `users.set(id, socket)` puts `socket` into the `Map` `users`.
"""

from lab.check.ir import Assign, Call, Index, Member, Record, This
from lab.check.places import as_function, place_of
from lab.check.project import Project
from lab.check.scopes import Module, patterns
from lab.check.tables import called
from lab.check.uses import Content, Uses

# methods that put their last argument into a collection; with two arguments, the first is the key
WRITERS = {"set", "add", "push", "append", "unshift", "setdefault", "insert", "update", "appendleft"}
# methods that call a function with each element
ITERATING = {"forEach", "map", "filter", "find", "some", "every", "flatMap", "findIndex", "sort"}
PROMISES = {"then", "finally"}
# functions that start another one later, with the number of their own arguments before and after it
STARTERS = {
    "start_background_task": (0, 0),
    "add_task": (0, 0),
    "submit": (0, 0),
    "to_thread": (0, 0),
    "setTimeout": (0, 1),
    "setInterval": (0, 1),
    "run_in_executor": (1, 0),
    "call_later": (1, 0),
    "call_soon": (0, 0),
    "spawn": (0, 0),
}


def collect(project: Project, uses: Uses, module: Module) -> None:
    """Record in `uses` a file's calls, and what it puts into collections.

    `module` is the file. A collection is, for example, a list, a dict or a `Map`. `users.set(id, socket)` puts `socket`
    into the `Map` `users`.
    """
    for node in module.nodes:
        match node:
            case Call():
                _call(project, uses, node)
            case Assign():
                _assign(project, uses, node)


def _call(project: Project, uses: Uses, call: Call) -> None:
    for func in called(project, call):
        uses.callers.setdefault(id(func), []).append(call)
    name = getattr(call.func, "name", "")
    if name in STARTERS:
        before, after = STARTERS[name]
        started = as_function(project, call.args[before]) if len(call.args) > before else None
        if started is not None:
            uses.later.setdefault(id(started), []).append(call.args[before + 1 + after :])
    if not isinstance(call.func, Member):
        return
    if name in ITERATING | PROMISES and call.args:
        run = as_function(project, call.args[0])
        if run is not None:
            uses.each[id(run)] = (call.func.obj, name in PROMISES)
    elif name in WRITERS and call.args:
        place = place_of(project, call.func.obj)
        if place is not None:
            key = call.args[0] if len(call.args) > 1 else None
            uses.contents.setdefault(place, []).append(Content(key, call.args[-1], call))


def _assign(project: Project, uses: Uses, node: Assign) -> None:
    for target, path in patterns(node.target):
        if path:
            continue
        if isinstance(target, Member) and not isinstance(target.obj, This):
            uses.on_field.setdefault(target.name, []).append((target.obj, node.value))
        if isinstance(target, (Index, Member)) and (place := place_of(project, target)) is not None:
            key = target.key if isinstance(target, Index) else None
            uses.contents.setdefault(place, []).append(Content(key, node.value, node))
    for key, value in node.value.items if isinstance(node.value, Record) else ():
        place = place_of(project, node.target)
        if place is not None:
            uses.contents.setdefault(place, []).append(Content(key, value, node))
