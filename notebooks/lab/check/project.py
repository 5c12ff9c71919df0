"""Finds what names mean across files: imports, classes and called functions."""

from dataclasses import dataclass, field

from lab.check.ir import Await, Call, Class, Const, Func, Member, Name, Node, Record, This
from lab.check.modules import Modules
from lab.check.scopes import Module, Variable, class_of, field_type, fields_of, lookup, method, record_value

# a chain of names longer than this is not followed
STEPS = 12
# a method with a longer name is found by its name alone, if no other method has it
SHORT_NAME = 5


@dataclass(eq=False)
class Project(Modules):
    """All checked modules, and what their names mean across files."""

    methods: dict[str, list[Func]] = field(default_factory=dict)
    types: dict[str, list[Class]] = field(default_factory=dict)
    _fields: dict[int, dict[str, list[Node]]] = field(default_factory=dict)
    # answers that hold until another module is added
    _outside: dict[int, str] = field(default_factory=dict)
    _callees: dict[int, list[Func]] = field(default_factory=dict)
    _meanings: dict[int, Node | Variable | Module | None] = field(default_factory=dict)

    def add(self, module: Module) -> None:
        """Add a parsed module to the project."""
        super().add(module)
        self._outside.clear()
        self._callees.clear()
        self._meanings.clear()
        for cls in module.classes:
            self.types.setdefault(cls.name, []).append(cls)
            for part in cls.body:
                if isinstance(part, Func):
                    self.methods.setdefault(part.name, []).append(part)

    def fields(self, cls: Class) -> dict[str, list[Node]]:
        """Return the values assigned to a class's fields, by field name."""
        if id(cls) not in self._fields:
            self._fields[id(cls)] = fields_of(cls)
        return self._fields[id(cls)]

    def exported(self, module: Module, name: str, steps: int = STEPS) -> Node | Variable | Module | None:
        """Return what a module exports under a name, or None.

        The result is a node of the syntax tree, a variable or a module. For the name "*" it is `module` itself. Exports
        that come from another module are followed through at most `steps` modules.
        """
        if name == "*" or steps == 0:
            return module
        if module.source.language == "py":
            found = module.names.get(name)
            if found is not None:
                return found
            return self.imported_module(module, f".{name}")
        if name in module.exports:
            return module.exports[name]
        for source in module.passed_on:
            below = self.imported_module(module, source)
            found_below = self.exported(below, name, steps - 1) if below else None
            if found_below is not None and found_below is not below:
                return found_below
        return module if name == "default" and module.exports else None

    def meaning(self, expr: Node | Variable | Module | None, steps: int = STEPS) -> Node | Variable | Module | None:
        """Return the syntax tree node, variable or module that an expression means.

        For `a` after `const a = f()`, the result is the node of `f()`. Such names are followed at most `steps` times.
        For a variable without exactly one known value, such as a parameter or a name from a package, it is a
        `Variable`. For a name that is not declared, or whose value refers to the name itself, it is None.
        """
        if id(expr) not in self._meanings:
            # until the answer is known; so a name that is made of itself has none
            self._meanings[id(expr)] = None
            self._meanings[id(expr)] = self._follow(expr, steps)
        return self._meanings[id(expr)]

    def _follow(self, expr: Node | Variable | Module | None, steps: int) -> Node | Variable | Module | None:
        while steps:
            steps -= 1
            following: Node | Variable | Module | None
            match expr:
                case Await():
                    following = expr.value
                case Name():
                    following = lookup(self.module_of(expr), expr, expr.name)
                    if following is None and expr.name == "exports":
                        following = self.module_of(expr)
                case Call(func=Name(name="require"), args=[Const(value=str(source))]):
                    loaded = self.imported_module(self.module_of(expr), source)
                    following = self.exported(loaded, "default", steps) if loaded else expr
                case Variable(imported=(source, name), module=module):
                    below = self.imported_module(module, source)
                    following = self.exported(below, name, steps) if below else None
                case Variable(values=[(value, ())], param=None):
                    following = value
                case Member():
                    following = self._member(expr, steps)
                case _:
                    return expr
            if following is None:
                return expr if isinstance(expr, (Variable, Member)) else None
            if following is expr:
                return expr
            expr = following
        return None

    def _member(self, expr: Member, steps: int) -> Node | Variable | Module | None:
        if isinstance(expr.obj, This):
            cls = class_of(expr)
            return self.in_class(cls, expr.name) if cls else None
        if expr.name == "exports" and isinstance(expr.obj, Name) and expr.obj.name == "module":
            return self.module_of(expr)
        obj = self.meaning(expr.obj, steps)
        match obj:
            case Module():
                found = self.exported(obj, expr.name, steps)
                default = obj.exports.get("default")
                if found is None and isinstance(default, Record):
                    found = record_value(default, expr.name)
                return found
            case Record():
                return record_value(obj, expr.name)
            case Class():
                return self.in_class(obj, expr.name)
        cls = self.type_of(expr.obj, steps)
        return self.in_class(cls, expr.name) if cls else None

    def in_class(self, cls: Class, name: str, steps: int = 4) -> Node | None:
        """Return a class's method `name`, or the value of its field `name`.

        Base classes are searched up to `steps` levels. A field with several values is ignored, as if it did not exist.
        """
        found = method(cls, name)
        if found is not None:
            return found
        values = self.fields(cls).get(name, [])
        if len(values) == 1:
            return values[0]
        for base in cls.bases if steps else ():
            above = self.meaning(base)
            inherited = self.in_class(above, name, steps - 1) if isinstance(above, Class) else None
            if inherited is not None:
                return inherited
        return None

    def type_of(self, expr: Node, steps: int = STEPS) -> Class | None:
        """Return the class that an expression is an instance of.

        The result is None if the project has no such class.
        """
        if steps == 0:
            return None
        if isinstance(expr, This):
            return class_of(expr)
        if isinstance(expr, Member) and isinstance(expr.obj, This):
            cls = class_of(expr)
            if cls is not None and (named := self.named_type(field_type(cls, expr.name), cls)):
                return named
        found = self.meaning(expr, steps)
        if isinstance(found, Variable) and found.param is not None:
            return self.named_type(found.param.type, found.param)
        if isinstance(found, Variable):
            classes = (self.type_of(value, steps - 1) for value, path in found.values if not path)
            return next((cls for cls in classes if cls is not None), None)
        if isinstance(found, Call):
            made = self.meaning(found.func, steps - 1)
            if isinstance(made, Func):
                return self.named_type(made.returns, made)
            return made if isinstance(made, Class) else None
        return None

    def named_type(self, text: str, place: Node) -> Class | None:
        """Return the class that a type annotation `text` names at `place`.

        If the file does not say where the class is, the result is the only class of the project with that name. It is
        None if there is no such class.
        """
        name = text.strip().split("<")[0]
        found = self.meaning(lookup(self.module_of(place), place, name))
        named = [found] if isinstance(found, Class) else self.types.get(name, [])
        classes = [cls for cls in named if cls.kind == "class"]
        return classes[0] if len(classes) == 1 else None

    def outside(self, expr: Node) -> str:
        """Return the dotted name of `expr` if it comes from a package.

        For `Server` after `import {Server} from "socket.io"`, it is "socket.io.Server". For any other code, it is "".
        """
        if id(expr) not in self._outside:
            # a name that is assigned a part of itself, such as `node = node.next`, asks for itself again
            self._outside[id(expr)] = ""
            self._outside[id(expr)] = self._name_outside(expr)
        return self._outside[id(expr)]

    def _name_outside(self, expr: Node) -> str:
        match expr:
            case Await():
                return self.outside(expr.value)
            case Name():
                variable = lookup(self.module_of(expr), expr, expr.name)
                return self._variable_outside(variable) if variable is not None else ""
            case Member():
                base = self.outside(expr.obj)
                return f"{base}.{expr.name}" if base else ""
            case Call(func=Name(name="require"), args=[Const(value=str(source))]):
                return source
        return ""

    def _variable_outside(self, variable: Variable) -> str:
        if variable.imported is None:
            only = variable.values[0] if len(variable.values) == 1 and variable.param is None else None
            return self.outside(only[0]) if only and not only[1] and not isinstance(only[0], Name) else ""
        if self.imported_module(variable.module, variable.imported[0]):
            found = self.meaning(variable)
            return self._outside_import(found) if isinstance(found, Variable) else ""
        return self._outside_import(variable)

    def _outside_import(self, variable: Variable) -> str:
        if variable.imported is None or not self.outside_import(variable):
            return ""
        source, name = variable.imported
        return source if name in ("*", "default") else f"{source}.{name}"

    def outside_import(self, variable: Variable) -> bool:
        """Tell whether a variable is imported from outside the checked files."""
        return variable.imported is not None and self.imported_module(variable.module, variable.imported[0]) is None

    def _is_foreign(self, obj: Node) -> bool:
        """Tell whether an object comes from outside the project.

        That is assumed if `obj` comes from a package, or is a field of `this` or `self` that has a type annotation.
        """
        if isinstance(obj, Member) and isinstance(obj.obj, This):
            cls = class_of(obj)
            return bool(cls is not None and field_type(cls, obj.name))
        return bool(self.outside(obj))

    def callees(self, call: Call) -> list[Func]:
        """Return a list with the project's function that a call runs.

        It is empty if the function is not known. A method with a unique name of 6 or more letters can be found by name.
        """
        if id(call) not in self._callees:
            self._callees[id(call)] = self._find_callees(call)
        return self._callees[id(call)]

    def _find_callees(self, call: Call) -> list[Func]:
        found = self.meaning(call.func)
        if isinstance(found, Func):
            return [found]
        if isinstance(found, Class):
            made = method(found, "constructor") or method(found, "__init__")
            return [made] if made else []
        if isinstance(call.func, Member) and len(call.func.name) > SHORT_NAME and not self._is_foreign(call.func.obj):
            same = self.methods.get(call.func.name, [])
            return same if len(same) == 1 else []
        return []
