"""Tests of the README's pictures of the live page."""

import struct
from pathlib import Path

import lab
import pytest
from lab.__main__ import main
from lab.live import stills
from lab.live.arrangement import ARRANGEMENTS

from .page_driver import find_chromium, load_playwright

STORED = Path(lab.__file__).parents[2] / ".github"
MOST_BYTES = 250_000
PNG = b"\x89PNG\r\n\x1a\n"


def size_of(picture):
    """Return the width and height that a PNG names."""
    assert picture.startswith(PNG)
    return struct.unpack(">II", picture[16:24])


@pytest.mark.parametrize("still", stills.STILLS, ids=lambda still: str(still.number))
def test_a_stored_picture_is_small_in_both_colours(still):
    pictures = [still.path(STORED, scheme).read_bytes() for scheme in stills.SCHEMES]
    assert max(map(len, pictures)) < MOST_BYTES
    assert {size_of(picture)[0] for picture in pictures} == {stills.WIDTH_PIXELS}
    assert pictures[0] != pictures[1]
    assert still.number in ARRANGEMENTS


def test_a_missing_folder_is_one_line(tmp_path, capsys):
    assert main(["live", "--stills", str(tmp_path / "missing")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_a_missing_browser_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stills.shutil, "which", lambda name: None)
    assert main(["live", "--stills", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("lab: pictures need Chromium")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_picture_shows_the_lost_message(tmp_path, monkeypatch):
    load_playwright()
    find_chromium()
    monkeypatch.setattr(stills, "STILLS", stills.STILLS[:1])
    monkeypatch.setattr(stills, "SCHEMES", ("dark",))
    said = []
    await stills.take_stills(tmp_path, said.append)
    (picture,) = tmp_path.iterdir()
    assert picture.name == "live-03-dark.png"
    width, height = size_of(picture.read_bytes())
    assert (width, len(said)) == (stills.WIDTH_PIXELS, 1)
    # both columns are in it, and the legend below them is not
    assert stills.WIDTH_PIXELS / 2 < height < stills.HEIGHT_PIXELS
