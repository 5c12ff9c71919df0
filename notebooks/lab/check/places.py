"""Collections that a program keeps, and which one an expression means."""

from dataclasses import dataclass, field

from lab.check.ir import Await, Call, Func, Index, Member, Name, Node, Op, Record, Return, This
from lab.check.ir import Sequence as ListOf
from lab.check.project import Project
from lab.check.scopes import Variable, class_of, function_of, lookup


def as_function(project: Project, expr: Node | None) -> Func | None:
    """Return the function that an argument stands for, or None.

    It is the argument itself, what a name means, a wrapped function, or what a factory returns.
    """
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


@dataclass(frozen=True, slots=True)
class Place:
    """A collection. Two expressions mean the same one if `key` and `name` are equal."""

    key: int
    name: str = ""
    # the function that makes it; None for one of a module or class
    owner: Func | None = field(default=None, compare=False)


def place_of(project: Project, expr: Node, steps: int = 8) -> Place | None:
    """Return the collection that an expression uses, or None.

    It may use only a part of it: for `games[id].players` the collection is `games`. `steps` is how many variables and
    operators are followed at most.
    """
    inner: Node = expr
    while steps:
        match inner:
            case Await():
                # what a call gives later is a record or an answer, not a collection
                return None
            case Op(op="||" | "??" | "?:", operands=operands):
                found_places = (place_of(project, part, steps - 1) for part in operands)
                return next((place for place in found_places if place is not None), None)
            case Member(obj=This()):
                cls = class_of(inner)
                return Place(id(cls), inner.name) if cls else None
            case Member():
                found = _named(project, inner, steps)
                if found is not None:
                    return found
                inner = inner.obj
            case Index(obj=obj) | Call(func=Member(obj=obj)):
                inner = obj
            case Name():
                return _named(project, inner, steps)
            case _:
                return None
    return None


def _named(project: Project, expr: Name | Member, steps: int) -> Place | None:
    """Return the collection that a variable or a field means, or None.

    A field is known only if the class of its object is. A variable that is another name for a collection gives that
    collection. `steps` is the limit of `place_of`.
    """
    variable = lookup(project.module_of(expr), expr, expr.name) if isinstance(expr, Name) else None
    if variable is not None and any(isinstance(value, Await) for value, _ in variable.values):
        return None
    found = project.meaning(expr)
    if isinstance(found, Variable):
        if found.imported is not None:
            return None
        if len(found.values) == 1 and found.param is None:
            return place_of(project, found.values[0][0], steps - 1) or Place(id(found), "", found.owner)
        return Place(id(found), "", found.owner)
    if isinstance(expr, Member) and (cls := project.type_of(expr.obj)) is not None:
        return Place(id(cls), expr.name)
    if found is expr or project.outside(expr):
        return None
    match found:
        case Index() | Member() | Op() | Call(func=Member()):
            return place_of(project, found, steps - 1)
        case Record() | ListOf() | Call():
            return Place(id(found), "", function_of(found))
    return None
