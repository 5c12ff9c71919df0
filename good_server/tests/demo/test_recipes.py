"""Tests of cutting code from `INTEGRATE.md`."""

import pytest

from .. import recipes
from ..package import FOLDER

TEXT = """\
# Title
## One
New file `shop.py`:

```python
# not a heading
x = 1
```

Then:

```
pip install x
```
### Two
In `app.env` and `a/.env`:
```ini
SERVER_PORT=0
```
"""


def test_a_block_has_its_heading_language_and_file():
    found = [(block.heading, block.language, block.name, block.code) for block in recipes.read(TEXT)]
    assert found == [
        ("One", "python", "shop.py", "# not a heading\nx = 1\n"),
        ("One", "", None, "pip install x\n"),
        ("Two", "ini", "a/.env", "SERVER_PORT=0\n"),
    ]


def test_an_unknown_heading_is_an_error():
    with pytest.raises(AssertionError, match="no code below 'Nowhere'"):
        recipes.blocks("Nowhere")


def test_every_recipe_is_named_by_a_test():
    tests = "".join(path.read_text("utf-8") for path in sorted((FOLDER / "tests").rglob("test_*.py")))
    headings = {block.heading for block in recipes.read()}
    assert [heading for heading in sorted(headings) if f'"{heading}"' not in tests] == []
