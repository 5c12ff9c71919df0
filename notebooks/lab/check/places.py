"""Finds the collection that an expression in the checked code uses.

A collection is, for example, a global list or dict.
"""

import re
from dataclasses import dataclass, field

from lab.check.ir import (
    Await,
    Block,
    Call,
    Class,
    Const,
    Func,
    Index,
    Loop,
    Member,
    Name,
    Node,
    Op,
    Record,
    Return,
    This,
)
from lab.check.ir import Sequence as ListOf
from lab.check.names import last_name
from lab.check.project import Project
from lab.check.scopes import Variable, class_of, function_of, lookup

# functions and classes that make a collection
COLLECTION = re.compile(r"((Weak)?(Set|Map)|Array|set|dict|list|deque|defaultdict|OrderedDict)$")


def as_function(project: Project, expr: Node | None) -> Func | None:
    """Return the function that an argument stands for, or None.

    `expr` is an argument of a call in the checked code. It can be the function itself, its name, or a call that passes
    the function on, such as `wrap(handler)` or `handler.bind(this)`. A call such as `makeHandler()` stands for the
    function that it returns.
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


def is_collection(project: Project, expr: Node) -> bool:
    """Tell whether the checked code assigns a new collection to `expr`.

    Examples are `[]`, `{}` and `new Set()`. For a field of a class, one such assignment is enough.
    """
    values = [project.meaning(expr)]
    if isinstance(expr, Member) and isinstance(expr.obj, This) and (cls := class_of(expr)) is not None:
        values += project.fields(cls).get(expr.name, [])
    return any(
        isinstance(made, ListOf | Record) or (isinstance(made, Call) and bool(COLLECTION.match(last_name(made))))
        for made in values
    )


def bases_of(project: Project, cls: Class, steps: int = 4) -> list[str]:
    """Return the dotted names of base classes that come from packages.

    An example is "socketio.AsyncNamespace". If the checked code itself declares a base class of `cls`, the base classes
    of that class are returned in its place; this is done for up to `steps` levels. The name of an unknown base class is
    "".
    """
    found = []
    for base in cls.bases:
        above = project.meaning(base)
        if isinstance(above, Class) and above is not cls:
            found += bases_of(project, above, steps - 1) if steps else []
        else:
            found.append(project.outside(base))
    return found


# values of one variable that are followed
MOST_VALUES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A collection in the checked code, such as a list.

    `key` is the `id()` of the variable, class or syntax tree node that holds the collection, or 0 for Flask's
    `current_app`. `name` is the name of the field for a field of a class or of `current_app`, else "". Two `Place`
    objects with the same `key` and `name` are the same collection.
    """

    key: int
    name: str = ""
    # the function that makes it; None for one of a module or class
    owner: Func | None = field(default=None, compare=False)


def is_entry(project: Project, expr: Node) -> bool:
    """Tell whether an expression may be a collection's entry, or its part.

    Examples are `games[id]`, `games[id].players`, and `game.players` after `const game = games[id]`. Parameters of
    functions and results of calls count, too.
    """
    found = project.meaning(expr)
    while isinstance(found, Member):
        inner = project.meaning(found.obj)
        found = inner if inner is not found else None
    if isinstance(found, Variable):
        return found.param is not None or any(path or isinstance(value, Index | Call) for value, path in found.values)
    return isinstance(found, Index | Call)


def place_of(project: Project, expr: Node, steps: int = 8) -> Place | None:
    """Return the collection that an expression uses, or None.

    The expression can use only a part of the collection: `games[id].players` uses `games`. `steps` limits how many
    variables, calls and operators the search follows.
    """
    inner: Node = expr
    while steps:
        match inner:
            case Await(value=value):
                # what a call gives later is a record or an answer, unless a function of the project returns it
                return _of_getter(project, value, steps - 1)
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
            case Call(func=Member(obj=Name(name="Object"), name="entries" | "values" | "keys"), args=[mapping]):
                inner = mapping
            case Call(func=Member()) if (got := _of_getter(project, inner, steps - 1)) is not None:
                return got
            case Index(obj=obj) | Call(func=Member(obj=obj)):
                inner = obj
            # `next(player for player in players if …)`
            case Call(
                func=Name(name="next"), args=[Block(kind="comprehension", body=[Loop(iterable=iterable), *_]), *_]
            ):
                inner = iterable
            case Name():
                return _named(project, inner, steps)
            case _:
                return None
    return None


def _named(project: Project, expr: Name | Member, steps: int) -> Place | None:
    """Return the collection that a variable or field stands for, or None.

    `expr` is the variable or the field. For a field such as `state.games`, the result is None unless `state` is a
    module, object literal, class or instance that the checked code declares, or Flask's `current_app`. If a variable is
    another name for a collection, the result is that collection. `steps` limits how many variables, calls and operators
    the search follows.
    """
    variable = lookup(project.module_of(expr), expr, expr.name) if isinstance(expr, Name) else None
    waited = [value for value, _ in variable.values if isinstance(value, Await)] if variable is not None else []
    if waited:
        return _of_getter(project, waited[0].value, steps - 1)
    found = project.meaning(expr)
    if isinstance(found, Variable):
        if found.imported is not None:
            return None
        # `entry = None`, and later one value
        real = [value for value, _ in found.values if not (isinstance(value, Const) and value.value is None)]
        if 0 < len(real) <= MOST_VALUES and found.param is None:
            # several loops over one collection may share a variable
            kept = {place_of(project, value, steps - 1) for value in real}
            place = kept.pop() if len(kept) == 1 else None
            return place or Place(id(found), "", found.owner)
        return Place(id(found), "", found.owner)
    if isinstance(expr, Member) and (cls := project.type_of(expr.obj)) is not None:
        return Place(id(cls), expr.name)
    if isinstance(expr, Member) and project.outside(expr.obj) == "flask.current_app":
        return Place(0, expr.name)
    if found is expr or project.outside(expr):
        return None
    match found:
        case Index() | Member() | Op() | Call(func=Member()) | Call(func=Name(name="next")):
            return place_of(project, found, steps - 1)
        case Record() | ListOf() | Call():
            got = _of_getter(project, found, steps - 1)
            return got or Place(id(found), "", function_of(found))
    return None


def _of_getter(project: Project, call: Node, steps: int) -> Place | None:
    """Return the collection from which a called function takes its result.

    `call` is the call, such as `getGame(id)`; the function returns a collection or an entry of it. Only a collection
    outside functions counts, such as a variable of a module or a field of a class. Without such a collection, the
    result is None. `steps` limits how many variables, calls and operators the search follows.
    """
    if not isinstance(call, Call) or steps <= 0:
        return None
    for func in project.callees(call):
        for statement in func.body:
            for node in statement.walk():
                value = node.value if isinstance(node, Return) and function_of(node) is func else None
                place = place_of(project, value, steps - 1) if isinstance(value, Name | Index | Call) else None
                if place is not None and place.owner is None:
                    return place
    return None
