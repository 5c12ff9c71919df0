"""Finds the tags of parameters: what is known of their values.

An example of a tag is "sent by the client".
"""

import re

from lab.check.contents import Contents
from lab.check.flow import arguments, made_record
from lab.check.ir import Call, Func, Param, Spread
from lab.check.scopes import EACH, Variable, record_value
from lab.check.tables import passed
from lab.check.tags import CLAIMED, Tag, tag_of_type

# the name of a socket's type, as in `Socket | null`
TYPE_NAME = re.compile(r"\w*Socket\w*")


class Parameters(Contents):
    """Finds what is known of the values of parameters, as tags.

    An example is `Tag.CLIENT` for data from the client. The tags come from types, from what the library passes to
    handlers (such as the socket), and from the arguments of calls.
    """

    def of_param(self, func: Func, param: Param) -> Tag:
        """Return what is known of a parameter's value, as tags.

        An example is `Tag.CLIENT` for data from the client. The tags come from the type of the parameter, from what the
        library passes to a handler (such as the socket), and from the arguments of all calls.
        """
        place = func.params.index(param)
        found = Tag.NONE if self._is_other_type(func, param.type) else tag_of_type(param.type)
        roles = self.uses.roles.get(id(func), [])
        if place < len(roles):
            found |= roles[place]
        elif roles and param.rest:
            found |= roles[-1]
        if place == 0 and id(func) in self.uses.each:
            source, promise = self.uses.each[id(func)]
            found |= self.of(source) if promise else self.along(self.of(source), EACH, source)
        for call in self.uses.callers.get(id(func), []):
            found |= self._argument(call, place, param)
        for given in self.uses.later.get(id(func), []):
            found |= self.of(given[place]) if place < len(given) else Tag.NONE
        return found

    def of_part(self, variable: Variable, tags: Tag, param: Param) -> Tag:
        """Return what is known of one part of a parameter, as tags.

        `variable` is the part, such as `code` in `({ code, name }) => …`. `tags` are the tags of the whole parameter,
        such as `Tag.CLIENT` for data from the client. If each call passes an object literal, such as
        `f({ code: x, name: y })`, the value `x` decides whether `code` comes from the client.
        """
        found = self.along(tags, variable.path, param)
        if not found & CLAIMED or len(variable.path) != 1 or variable.path[0][0] != "field":
            return found
        records = [made_record(self.project, given) for given in arguments(self.uses, variable)]
        values = [record_value(record, variable.path[0][1]) for record in records if record is not None]
        if not records or len(values) < len(records) or None in values:
            return found
        return found & ~CLAIMED | self.of_all([value for value in values if value is not None]) & CLAIMED

    def _is_other_type(self, func: Func, text: str) -> bool:
        """Tell whether a type such as `Socket` comes from another library.

        Another library is, for example, `net`, `ws` or the client of Socket.IO. `text` is the type of a parameter of
        `func`.
        """
        return any(self._is_foreign(func, name) for name in TYPE_NAME.findall(text))

    def _argument(self, call: Call, place: int, param: Param) -> Tag:
        """Return what is known of the argument that `call` passes, as tags.

        An example is `Tag.CLIENT` for data from the client. The argument is for the parameter `param`, whose position
        in the called function is `place`, counted from 0.
        """
        name = getattr(param.target, "name", "")
        for keyword, value in call.keywords:
            if keyword == name:
                return self.of(value)
        given = passed(call)
        for arg in given[: place + 1]:
            if isinstance(arg, Spread):
                return self.step(self.of(arg.value), "")
        if place < len(given):
            return self.of(given[place])
        # `f(**payload)`
        return self.of_all([value for keyword, value in call.keywords if not keyword]) & CLAIMED
