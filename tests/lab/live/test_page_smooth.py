"""Measures how smoothly the live page moves, in a real Chromium."""

import statistics

import pytest

from .page_driver import agree, playing

pytestmark = [pytest.mark.timing, pytest.mark.timeout(180)]
# 30 pictures a second look smooth; a few late ones are not noticed
MEDIAN_MS, SLOWEST_TWENTIETH_MS = 34, 50
FRAMES = """
window.frames = [];
const next = (last) => requestAnimationFrame((now) => { frames.push(now - last); next(now); });
requestAnimationFrame(next);
"""


async def test_200_dots_move_smoothly():
    async with playing(6) as (page, session):
        await session.do({"action": "crowd", "count": 200})
        await page.page.wait_for_function("() => document.querySelectorAll('.side.bad .crowd .dot').length === 200")
        await page.page.evaluate(f"() => {{ {FRAMES} }}")
        await page.act("drive")
        frames = await page.page.evaluate("frames")
        assert statistics.median(frames) <= MEDIAN_MS
        assert statistics.quantiles(frames, n=20)[-1] <= SLOWEST_TWENTIETH_MS
        await agree(page, session)
        assert (await page.counters("bad"))["wasted"] == 204
