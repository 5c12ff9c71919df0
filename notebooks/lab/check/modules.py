"""The modules of a project, parsed when they are needed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lab.check.dialects import sources_of
from lab.check.import_paths import candidates
from lab.check.ir import Node
from lab.check.scopes import Module


@dataclass(eq=False)
class Modules:
    """All files of a check.

    `load` parses a file on demand and returns None if it cannot.
    """

    paths: frozenset[str]
    load: Callable[[str], Module | None]
    modules: dict[str, Module] = field(default_factory=dict)
    # the module of each statement outside all functions and classes
    _home: dict[int, Module] = field(default_factory=dict)
    # sources of all imports at the top of the modules
    imported_sources: set[str] = field(default_factory=set)
    # paths of files that could not be loaded
    _failed: set[str] = field(default_factory=set)
    # path of the file that an import means, by path and source
    _paths: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def add(self, module: Module) -> None:
        """Add a parsed module to the modules of the project."""
        self.modules[module.path] = module
        self.imported_sources |= sources_of(module)
        for statement in module.source.body:
            self._home[id(statement)] = module

    def module(self, path: str) -> Module | None:
        """Return the module of a path, parsed if it was not yet."""
        if path not in self.modules and path in self.paths and path not in self._failed:
            module = self.load(path)
            if module is not None:
                self.add(module)
            else:
                self._failed.add(path)
        return self.modules.get(path)

    def imported_module(self, module: Module, source: str) -> Module | None:
        """Return the module that an import names.

        None stands for a package from outside.
        """
        key = (module.path, source)
        if key not in self._paths:
            paths = candidates(module.path, source, module.source.language)
            self._paths[key] = next((path for path in paths if path in self.paths and path != module.path), None)
        path = self._paths[key]
        return self.module(path) if path is not None else None

    def module_of(self, node: Node) -> Module:
        """Return the module that a node stands in."""
        while node.parent is not None:
            node = node.parent
        return self._home[id(node)]
