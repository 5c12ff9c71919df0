"""Base classes that wrap Socket.IO's API, and their handler methods.

To make the checker know a base class of your own, add a `Wrapper` that describes it to `WRAPPERS`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.check.ir import Call, Class, Const, Func, Node
from lab.check.project import Project
from lab.check.tags import Tag


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Describes a base class that wraps Socket.IO's API in its own methods.

    The regular expression `base` matches the dotted name of the class.
    """

    base: re.Pattern[str]
    # methods that run at connect and at disconnect
    connect: str
    disconnect: str
    # a function whose call registers a handler, with the positions of the event and of the handler
    route: str
    event_at: int
    handler_at: int
    # tags of what every handler gets
    roles: tuple[Tag, ...]
    # methods that check rates and payloads: a subclass that makes them do nothing takes the limits away
    rate_check: str
    payload_check: str


# the gateway of this kit's template, whatever its package is called
GATEWAY = Wrapper(
    base=re.compile(r"(^|\.)gateway(\.gateway)?\.Gateway$"),
    connect="joined",
    disconnect="left",
    route="Route",
    event_at=0,
    handler_at=2,
    roles=(Tag.SOCKET, Tag.CLIENT),
    rate_check="check_rate",
    payload_check="read",
)
WRAPPERS = (GATEWAY,)


def wrapper_of(project: Project, cls: Class) -> Wrapper | None:
    """Return the `Wrapper` that describes a base class of `cls`, or None."""
    for base in cls.bases:
        name = project.outside(base)
        found = project.meaning(base) if not name else None
        if isinstance(found, Class):
            name = f"{project.module_of(found).path.removesuffix('.py').replace('/', '.')}.{found.name}"
        for wrapper in WRAPPERS:
            if wrapper.base.search(name):
                return wrapper
    return None


def wrapped_classes(project: Project) -> Iterator[tuple[Class, Wrapper]]:
    """Yield the classes whose base class wraps Socket.IO's API.

    Each result is a pair: the class, and the `Wrapper` that describes its base class.
    """
    for module in list(project.modules.values()):
        for cls in module.classes:
            wrapper = wrapper_of(project, cls)
            if wrapper is not None:
                yield cls, wrapper


def route_parts(call: Call) -> tuple[Node, Node, Wrapper] | None:
    """Return the parts of a call that registers a handler.

    For `Route("say", Text, on_say)`, the parts are `"say"`, `on_say` and a `Wrapper`, which describes the base class
    of the handler's class. The result is None for any other call.
    """
    name = getattr(call.func, "name", "")
    for wrapper in WRAPPERS:
        if name == wrapper.route and len(call.args) > max(wrapper.event_at, wrapper.handler_at):
            return call.args[wrapper.event_at], call.args[wrapper.handler_at], wrapper
    return None


def does_nothing(func: Func) -> bool:
    """Tell whether a method that should check something checks nothing.

    That is so if the method has no code, or calls Pydantic's `model_construct`, which does not validate.
    """
    names = {getattr(node.func, "name", "") for part in func.body for node in part.walk() if isinstance(node, Call)}
    has_code = any(not isinstance(part, Const) for part in func.body)
    return not has_code or "model_construct" in names
