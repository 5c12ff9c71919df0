"""Where a value comes from inside the code: variables, parameters and returns."""

from lab.check.ir import Func, Name, Node, Return
from lab.check.project import Project
from lab.check.scopes import EACH, Variable, function_of, lookup
from lab.check.uses import Uses

# variables that are followed, one after another
STEPS = 6


def variable_of(project: Project, expr: Node) -> Variable | None:
    """Return the variable that an expression is, or None."""
    return lookup(project.module_of(expr), expr, expr.name) if isinstance(expr, Name) else None


def follow(project: Project, expr: Node) -> Node:
    """Return what a variable was assigned, or else the expression itself.

    The expression itself is returned unless the variable is assigned exactly once, as a whole, and is no parameter.
    """
    for _ in range(STEPS):
        variable = variable_of(project, expr)
        if variable is None or variable.param is not None or len(variable.values) != 1 or variable.values[0][1]:
            return expr
        expr = variable.values[0][0]
    return expr


def element_source(project: Project, uses: Uses, name: Name) -> Node | None:
    """Return the collection whose elements a variable stands for, or None.

    The variable is that of a loop, or the parameter of a function such as that of `forEach`.
    """
    variable = variable_of(project, name)
    if variable is not None and len(variable.values) == 1 and variable.values[0][1] == EACH:
        return variable.values[0][0]
    if variable is None or variable.param is None or variable.owner is None:
        return None
    source = uses.each.get(id(variable.owner))
    return source[0] if source is not None else None


def arguments(uses: Uses, param: Variable) -> list[Node]:
    """Return what the known calls pass for a parameter."""
    func = param.owner
    if func is None or param.param is None:
        return []
    place = func.params.index(param.param)
    found = []
    for call in uses.callers.get(id(func), []):
        found += [value for keyword, value in call.keywords if keyword == param.name]
        found += call.args[place : place + 1]
    return found


def returned(func: Func) -> list[Node]:
    """Return the values that a function returns."""
    nodes = (node for statement in func.body for node in statement.walk())
    return [
        node.value
        for node in nodes
        if isinstance(node, Return) and node.value is not None and function_of(node) is func
    ]
