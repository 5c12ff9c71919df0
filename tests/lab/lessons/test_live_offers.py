"""Tests that each lesson offers its live page after the reader's guess."""

import asyncio

import pytest
from lab.lessons.build_notebooks import Notebook, find_notebooks
from lab.live.arrangement import ARRANGEMENTS

LESSONS = {int(notebook.name[:2]): notebook for notebook in find_notebooks() if "01" <= notebook.name[:2] <= "10"}
EACH = pytest.mark.parametrize("number", sorted(LESSONS))
GUESS = "my_guess = None"


def call(number):
    return f"lab.show_live({number})"


def test_every_lesson_has_a_live_page():
    assert LESSONS.keys() == ARRANGEMENTS.keys()


@EACH
def test_a_lesson_offers_its_page_after_the_guess(number):
    cells = LESSONS[number].read().cells
    guess = next(place for place, cell in enumerate(cells) if cell.source == GUESS)
    words, offer, after = cells[guess + 1 : guess + 4]
    assert f"`lab live {number:02}`" in words.source
    # a comment: the committed run and "run all cells" start no page
    assert (offer.cell_type, offer.source) == ("code", f"# {call(number)}")
    assert after.source.startswith("## Measure the bad server")


FETCH = """
import asyncio, re
import aiohttp
from lab.lessons import background

# the address of the frame below the cell before
async with aiohttp.ClientSession() as client:
    async with client.get(shown[0].src) as response:
        print("page", response.status)
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_lesson_goes_on_after_its_page_was_shown(tmp_path):
    source = LESSONS[3].source.read_text("utf-8")
    before, rest = source.split(f"# {call(3)}")
    keep = "from lab.live import notebook\nshown = []\nnotebook.show_output = shown.append\n"
    measured = rest.split('bad = await lesson.measure("bad"')[0]
    ends = 'bad = await lesson.measure("bad", users=3)\nimport multiprocessing\nmultiprocessing.active_children()'
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "03_with_page.py"
    path.write_text(f"{before}{keep}{call(3)}\n\n# %%{FETCH}{measured}{ends}\n", "utf-8")
    cells = asyncio.run(Notebook(path).execute(tmp_path)).cells
    printed = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    assert "page 200\n" in printed
    assert cells[-1].outputs[-1].data["text/plain"] == "[]"
