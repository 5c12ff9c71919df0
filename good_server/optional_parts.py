"""Optional parts: folders that a team may delete together with their tests."""

from importlib.util import find_spec

from .settings import SettingsError


def has_part(name: str) -> bool:
    """Return whether the folder `name` exists. A team may delete the folder of an optional part."""
    spec = find_spec(f".{name}", __package__)
    # a folder that holds nothing but old bytecode has no origin
    return spec is not None and spec.origin is not None


def require_part(name: str, wanted_by: str) -> None:
    """Raise `SettingsError` if the folder `name` was deleted. `wanted_by` is the setting or command that needs it."""
    if not has_part(name):
        raise SettingsError(f"{wanted_by} needs the folder {__package__}/{name}, which was deleted")
