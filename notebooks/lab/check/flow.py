"""Finds where a value comes from: variables, parameters and returned values."""

from lab.check.ir import Await, Call, Func, Index, Member, Name, Node, Record, Return
from lab.check.names import UNCLEAR_IDS, is_id_name, last_name
from lab.check.places import place_of
from lab.check.project import Project
from lab.check.scopes import EACH, Variable, function_of, lookup
from lab.check.uses import Uses

# variables that are followed, one after another
STEPS = 6


def variable_of(project: Project, expr: Node) -> Variable | None:
    """Return the variable that `expr` names, or None.

    The result is None for an expression that is more than a name, such as `a.b`.
    """
    return lookup(project.module_of(expr), expr, expr.name) if isinstance(expr, Name) else None


def follow(project: Project, expr: Node) -> Node:
    """Return what the variable `expr` was assigned, or else `expr` itself.

    The assigned value is returned only if the variable is not a parameter and is assigned once, directly. A
    destructuring assignment such as `const {a} = x` is not direct. If the value is again a variable, the result is what
    that variable was assigned.
    """
    for _ in range(STEPS):
        variable = variable_of(project, expr)
        if variable is None or variable.param is not None or len(variable.values) != 1 or variable.values[0][1]:
            return expr
        expr = variable.values[0][0]
    return expr


def element_source(project: Project, uses: Uses, name: Node) -> Node | None:
    """Return the collection over which the code loops with `name`, or None.

    For `for (const user of users)` and `users.forEach((user) => …)`, the collection of `user` is `users`. For
    `promise.then((user) => …)`, the result is `promise`.
    """
    variable = variable_of(project, name)
    if variable is not None and len(variable.values) == 1 and variable.values[0][1] == EACH:
        return variable.values[0][0]
    if variable is None or variable.param is None or variable.owner is None:
        return None
    if variable.param is not variable.owner.params[0]:
        return None
    source = uses.each.get(id(variable.owner))
    return source[0] if source is not None else None


def is_of_id_list(project: Project, uses: Uses, expr: Node) -> bool:
    """Tell whether `expr` is an element of a list of socket ids.

    The code loops over the list with the variable `expr`. This is judged by the name of the list. In a loop over a
    dict, the elements are its keys, so the result is False.
    """
    source = element_source(project, uses, expr)
    if source is None or UNCLEAR_IDS.search(last_name(source)):
        return False
    made = follow(project, source)
    place = place_of(project, source) if isinstance(source, Name | Member) else None
    if isinstance(made, Record) or any(part.key is not None or part.is_nested for part in uses.of_place(place)):
        return False
    return is_id_name(source) or is_id_name(made.value if isinstance(made, Await) else made)


def arguments(uses: Uses, param: Variable) -> list[Node]:
    """Return the arguments that calls in the project pass for `param`."""
    func = param.owner
    if func is None or param.param is None:
        return []
    place = func.params.index(param.param)
    found = []
    for call in uses.callers.get(id(func), []):
        found += [value for keyword, value in call.keywords if keyword == param.name]
        found += call.args[place : place + 1]
    return found


def is_given_kept(project: Project, uses: Uses, place: Node) -> bool:
    """Tell whether a parameter receives a collection of a module or class.

    Such a collection, for example a global dict, is kept after handlers end. `place` is the parameter, or a part of it
    such as `room.players`. One call in the project that passes such a collection is enough.
    """
    root, made = place, None
    while made is not root:
        while isinstance(root, Member | Index | Call):
            root = root.func if isinstance(root, Call) else root.obj
        # `const round = room.round` of a parameter `room`
        made, root = root, follow(project, root)
    param = variable_of(project, root)
    given = arguments(uses, param) if param is not None and param.param is not None else []
    return any(found is not None and found.owner is None for found in (place_of(project, arg) for arg in given))


def made_record(project: Project, expr: Node) -> Record | None:
    """Return the object literal that `expr` stands for, or None.

    A variable is replaced by its assigned value, and a call by the value that the function returns. After
    `const user = { id: 1 }`, the variable `user` stands for `{ id: 1 }`.
    """
    for _ in range(STEPS):
        expr = follow(project, expr)
        if isinstance(expr, Record):
            return expr
        if not isinstance(expr, Call):
            return None
        results = [value for func in project.callees(expr) for value in returned(func)]
        if len(results) != 1:
            return None
        expr = results[0]
    return None


def returned(func: Func) -> list[Node]:
    """Return the expression of each `return` statement in `func`.

    Functions inside `func`, and `return` without an expression, are left out.
    """
    nodes = (node for statement in func.body for node in statement.walk())
    return [
        node.value
        for node in nodes
        if isinstance(node, Return) and node.value is not None and function_of(node) is func
    ]
