"""Collections that a program keeps: which one an expression means, and whether it outlives a handler."""

from collections.abc import Iterable

from lab.check.ir import Call, Class, Field, Func, Index, Member, Name, Node, Return, This
from lab.check.project import Project
from lab.check.scopes import Variable, class_of, function_of, lookup


def as_function(project: Project, expr: Node | None) -> Func | None:
    """Return the function that an argument stands for: itself, a name, a wrapped one, or what a factory returns."""
    for _ in range(4):
        if expr is None or isinstance(expr, Func):
            return expr
        if isinstance(expr, Call):
            if isinstance(expr.func, Member) and expr.func.name == "bind":
                expr = expr.func.obj
                continue
            inner = next((arg for arg in expr.args if isinstance(project.meaning(arg), Func)), None)
            expr = inner if inner is not None else _made(project, expr)
            continue
        found = project.meaning(expr)
        if not isinstance(found, Node) or found is expr:
            return None
        expr = found
    return None


def _made(project: Project, call: Call) -> Node | None:
    for func in project.callees(call):
        for statement in func.body:
            if isinstance(statement, Return) and statement.value is not None:
                return statement.value
    return None


Place = tuple[int, str]


def place_of(project: Project, expr: Node) -> Place | None:
    """Return the collection that an expression reads or writes, or None if it is not known.

    Steps into it do not matter: `games[id].players` is the place of `games`.
    """
    inner = expr
    while True:
        match inner:
            case Member(obj=This()):
                cls = class_of(inner)
                return (id(cls), inner.name) if cls else None
            case Member() | Index():
                found = _whole(project, inner) if isinstance(inner, Member) else None
                if found is not None:
                    return found
                inner = inner.obj
            case Call(func=Member()):
                inner = inner.func.obj  # type: ignore[attr-defined]
            case Name():
                return _whole(project, inner)
            case _:
                return None


def _whole(project: Project, expr: Node) -> Place | None:
    found = project.meaning(expr)
    if isinstance(found, Variable):
        return (id(found), "")
    if isinstance(expr, Member) and (cls := project.type_of(expr.obj)) is not None:
        return (id(cls), expr.name)
    if isinstance(found, (Index, Member)) or (isinstance(found, Call) and isinstance(found.func, Member)):
        return place_of(project, found) if found is not expr and not project.outside(found) else None
    if isinstance(found, Node) and not isinstance(found, (Func, Class, Field)) and found is not expr:
        return (id(found), "")
    return None


def lasts(project: Project, place_expr: Node, handler: Func | None) -> bool:
    """Tell whether a collection outlives the handler: a variable outside it, or a field of a class or module."""
    inner = place_expr
    while isinstance(inner, (Index, Member, Call)):
        if isinstance(inner, Member) and isinstance(inner.obj, This):
            return True
        below = inner.func if isinstance(inner, Call) else inner.obj
        inner = below
    return False if not isinstance(inner, Name) else _outlives(project, inner, handler)


def _outlives(project: Project, name: Name, handler: Func | None) -> bool:
    variable = lookup(project.module_of(name), name, name.name)
    if variable is None:
        return False
    if variable.imported is not None:
        return not project.outside_import(variable)
    if variable.owner is None:
        return True
    if variable.param is not None or handler is None:
        return False
    return variable.owner is not handler and variable.owner in _around(handler)


def _around(func: Func) -> Iterable[Func]:
    above = function_of(func)
    while above is not None:
        yield above
        above = function_of(above)
