"""Parses the files of a project when they are needed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lab.check.dialects import sources_of
from lab.check.import_paths import candidates
from lab.check.ir import Node
from lab.check.scopes import Module

# packages that a file or folder of the project with the same name does not replace
PACKAGES = {"socketio", "flask_socketio", "flask"}


@dataclass(eq=False)
class Modules:
    """All files that the checker can read in one run.

    `load` takes a path, and returns the parsed file, or None if the file cannot be parsed. It is called when a file is
    first needed.
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
        """Add a parsed file to the files of the project."""
        self.modules[module.path] = module
        self.imported_sources |= sources_of(module)
        for statement in module.source.body:
            self._home[id(statement)] = module

    def module(self, path: str) -> Module | None:
        """Return the parsed file with this path, or None.

        The file is parsed at the first call. The result is None if the path is unknown or its file cannot be parsed.
        """
        if path not in self.modules and path in self.paths and path not in self._failed:
            module = self.load(path)
            if module is not None:
                self.add(module)
            else:
                self._failed.add(path)
        return self.modules.get(path)

    def imported_module(self, module: Module, source: str) -> Module | None:
        """Return the parsed file that an import loads.

        `module` contains the import, and `source` is the imported path or name. The result is None for a package from
        outside the project, or if the file cannot be parsed.
        """
        key = (module.path, source)
        if source.split(".")[0] in PACKAGES and module.source.language == "py":
            return None
        if key not in self._paths:
            paths = candidates(module.path, source, module.source.language)
            self._paths[key] = next((path for path in paths if path in self.paths and path != module.path), None)
        path = self._paths[key]
        return self.module(path) if path is not None else None

    def module_of(self, node: Node) -> Module:
        """Return the parsed file that contains the syntax-tree node `node`."""
        while node.parent is not None:
            node = node.parent
        return self._home[id(node)]
