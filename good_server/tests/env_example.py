"""Write `.env.example` from the settings: `python -m good_server.tests env_example`.

The reason of a setting is the comment above it in `settings/settings.py`, or in `settings/product.py`.
"""

import ast
import inspect

from ..settings import Settings
from ..settings.product import ProductSettings
from .package import FOLDER

FILE = FOLDER / ".env.example"
HEAD = """\
# Every setting of the server with its default. Copy this file to .env and remove the # from the lines you change.
# Environment variables take precedence over this file. Lists are comma-separated or JSON. An empty value is no value.
# The server reads values as they are written. compose replaces $NAME in them, except between single quotes.
"""
PRODUCT = "\n# settings of the product"
FOOT = """
# used only by compose.yaml: the password of its Redis; letters and digits only, because it is part of a URL
#REDIS_PASSWORD=
# used only by compose.yaml: the ports on this machine, one for each server, such as 8000-8002
#PUBLIC_PORTS=8000
"""


def as_written(value):
    """Return a setting's default value as text for the environment."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _lines(model):
    """Yield the lines about each setting of the class `model`, in order."""
    source = inspect.getsource(model)
    (found,) = ast.parse(source).body
    fields = [node for node in found.body if isinstance(node, ast.AnnAssign)]
    names = {node.lineno: node.target.id for node in fields}
    # the second and later lines of a setting
    inside = {number for node in fields for number in range(node.lineno + 1, node.end_lineno + 1)}
    # below the docstring, and below `model_config`
    first = max(node.end_lineno for node in found.body if isinstance(node, ast.Assign | ast.Expr))
    for number, line in enumerate(source.splitlines(), 1):
        if number in names:
            default = model.model_fields[names[number]].default
            yield f"#SERVER_{names[number].upper()}={as_written(default)}"
        elif first < number <= fields[-1].lineno and number not in inside:
            yield line.strip()


def text():
    """Return the whole text of `.env.example`."""
    return "\n".join([HEAD.rstrip(), *_lines(Settings), PRODUCT, *_lines(ProductSettings), FOOT])


def main():
    """Write `.env.example`."""
    FILE.write_text(text(), "utf-8")
    return 0
