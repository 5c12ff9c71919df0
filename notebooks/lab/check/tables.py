"""Finds functions in objects or lists, such as handlers by event.

Such an object or list is called a table.
"""

from collections.abc import Iterator

from lab.check.ir import Call, Const, Func, Index, Member, Name, Node, Record, Spread
from lab.check.ir import Sequence as ListOf
from lab.check.places import as_function
from lab.check.project import Project
from lab.check.scopes import Module, lookup, record_value

# methods and functions that give the entries of a table
ENTRIES = {"entries", "items", "values"}
# methods that call a function with each entry
EACH = {"forEach", "map"}
# fields of an entry that name the event
EVENT = ("event", "eventName", "name", "on")


def functions_of(project: Project, expr: Node) -> list[tuple[str, Func]]:
    """Return the functions in an object or list, with their keys.

    `expr` is the variable of a loop over the object or list, a field of this variable, or an access with a computed
    key, such as `handlers[event]`. Each result is a pair of key and function. A key that is not known is "".
    """
    match expr:
        case Index(obj=table, key=key) if not isinstance(key, Const):
            return list(_in_table(project, table, ""))
        case Name():
            return list(_of_variable(project, expr, ""))
        case Member(obj=Name() as entry, name=field):
            return list(_of_variable(project, entry, field))
    return []


def called(project: Project, call: Call) -> list[Func]:
    """Return the functions of the project that a call can run.

    For the call `run()` in `for (const run of [load, save]) run()`, the result is `load` and `save`.
    """
    func = call.func
    if isinstance(func, Member) and func.name in ("call", "apply"):
        found = project.meaning(func.obj)
        return [found] if isinstance(found, Func) else [entry for _, entry in functions_of(project, func.obj)]
    return project.callees(call) or [entry for _, entry in functions_of(project, func)]


def passed(call: Call) -> list[Node]:
    """Return the arguments that the called function gets.

    For `run.call(this, a)` and `run.apply(this, [a])`, the only argument is `a`.
    """
    name = call.func.name if isinstance(call.func, Member) else ""
    if name == "call":
        return call.args[1:]
    if name == "apply" and len(call.args) > 1:
        given = call.args[1]
        return given.items if isinstance(given, ListOf) else [Spread(given)]
    return call.args


def _of_variable(project: Project, name: Name, field: str) -> Iterator[tuple[str, Func]]:
    variable = lookup(project.module_of(name), name, name.name)
    if variable is None:
        return
    source: Node | None = None
    path = variable.path
    if len(variable.values) == 1 and variable.values[0][1][:1] == (("item",),):
        source, path = variable.values[0][0], variable.values[0][1][1:]
    elif variable.owner is not None and variable.param is variable.owner.params[0] if variable.param else False:
        match variable.owner.parent if variable.owner is not None else None:
            case Call(func=Member(obj=obj, name=method)) if method in EACH:
                source = obj
    fields = [step[1] for step in path if step[0] == "field"]
    if source is not None:
        yield from _in_table(project, source, fields[0] if fields else field)


def _in_table(project: Project, table: Node, field: str) -> Iterator[tuple[str, Func]]:
    """Yield pairs of key and function from an object, list or module.

    If the entries are objects, `field` names the field that holds the function. Otherwise `field` is "".
    """
    match table:
        case Call(func=Member(obj=Name(name="Object"), name=method), args=[given]) if method in ENTRIES:
            table = given
        case Call(func=Member(obj=given, name=method), args=[]) if method in ENTRIES:
            table = given
    found = project.meaning(table)
    pairs: list[tuple[Node | None, Node]] = []
    match found:
        case Record():
            pairs = [(key, value) for key, value in found.items if not field or isinstance(value, Record)]
        case ListOf():
            pairs = [_entry(item, field) for item in found.items]
        case Module() if found.source.language != "py":
            pairs = [(Const(name), value) for name, value in found.exports.items()]
    for key, value in pairs:
        # a record of records: `{ say: { run() {} } }`
        inner = record_value(value, field) if field and isinstance(value, Record) else value
        func = as_function(project, inner)
        if func is not None:
            yield str(getattr(key, "value", "")), func


def _entry(item: Node, field: str) -> tuple[Node | None, Node]:
    """Return the event and the function that a list entry holds.

    An entry is `["say", onSay]` or `{event: "say", run: onSay}`. `field` is the name of the field that holds the
    function, such as "run".
    """
    match item:
        case ListOf(items=[key, value]):
            return key, value
        case Record():
            name = next((found for key in EVENT if (found := record_value(item, key)) is not None), None)
            return name, record_value(item, field) or item
    return None, item
