"""One pass over all files: who calls what, and what is written where."""

from lab.check.ir import Assign, Call, Index, Member, Record, This
from lab.check.places import as_function, place_of
from lab.check.project import Project
from lab.check.scopes import Module, patterns
from lab.check.values import Values

# methods that put their last argument into a collection; with two arguments, the first is the key
WRITERS = {"set", "add", "push", "append", "unshift", "setdefault", "insert", "update", "appendleft", "enqueue"}
# methods that call a function with each element
EACH = {"forEach", "map", "filter", "find", "some", "every", "flatMap", "findIndex", "sort", "reduce"}
PROMISES = {"then", "finally"}


def collect(project: Project, values: Values, module: Module) -> None:
    """Record the calls and writes of one module in `values`."""
    for statement in module.source.body:
        for node in statement.walk():
            match node:
                case Call():
                    _call(project, values, node)
                case Assign():
                    _assign(project, values, node)


def _call(project: Project, values: Values, call: Call) -> None:
    for func in project.callees(call):
        values.callers.setdefault(id(func), []).append(call)
    if not isinstance(call.func, Member):
        return
    name = call.func.name
    if name in EACH | PROMISES and call.args:
        func = as_function(project, call.args[0])
        if func is not None:
            values.each[id(func)] = (call.func.obj, name in PROMISES)
    elif name in WRITERS and call.args:
        place = place_of(project, call.func.obj)
        if place is not None:
            key = call.args[0] if len(call.args) > 1 else None
            values.contents.setdefault(place, []).append((key, call.args[-1], call))


def _assign(project: Project, values: Values, node: Assign) -> None:
    for target, path in patterns(node.target):
        if path:
            continue
        if isinstance(target, Member) and not isinstance(target.obj, This):
            values.on_field.setdefault(target.name, []).append((target.obj, node.value))
        if isinstance(target, (Index, Member)) and (place := place_of(project, target)) is not None:
            key = target.key if isinstance(target, Index) else None
            values.contents.setdefault(place, []).append((key, node.value, node))
    for key, value in node.value.items if isinstance(node.value, Record) else ():
        place = place_of(project, node.target)
        if place is not None:
            values.contents.setdefault(place, []).append((key, value, node))
