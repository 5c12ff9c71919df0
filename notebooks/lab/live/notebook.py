"""Shows the live page inside a notebook."""

import asyncio

from IPython.display import IFrame

from lab.lessons.cell_output import show_output
from lab.live.arrangement import arrangement
from lab.live.serve import Address, serve_until_closed
from lab.system.exit_codes import UsageError

HEIGHT_PIXELS = 860
# one page at a time: the next call ends the one before
_serving: set[asyncio.Task[None]] = set()


def show_live(number: int = 3, *, height: int = HEIGHT_PIXELS) -> None:
    """Show the live page of a mistake below the cell.

    The servers start in the background, and the page appears after some seconds. They end when the page is closed, when
    the function is called again, or with the kernel. `height` is in pixels. Raises `UsageError` outside a notebook.
    """
    chosen = arrangement(number)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(f"show_live works in a notebook; in a terminal: lab live {chosen.id}") from None
    for task in _serving:
        task.cancel()
    address = Address.reserve()
    task = loop.create_task(serve_until_closed(chosen, address, is_browser_wanted=False, say=_say_nothing))
    _serving.add(task)
    task.add_done_callback(_serving.discard)
    # also when the task is cancelled before it starts
    task.add_done_callback(lambda _: address.listener.close())
    show_output(IFrame(address.url, width="100%", height=height))


def _say_nothing(text: str) -> None:
    """Print nothing: the page itself shows what the text says."""
