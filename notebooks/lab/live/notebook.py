"""Shows `lab live`'s page inside a notebook."""

import asyncio

from IPython.display import IFrame

from lab.lessons import background
from lab.lessons.cell_output import show_output
from lab.live.arrangement import arrangement
from lab.live.serve import Address, serve_until_closed
from lab.system.exit_codes import UsageError

HEIGHT_PIXELS = 860


def show_live(number: int = 3, *, height: int = HEIGHT_PIXELS) -> None:
    """Show `lab live`'s page for a mistake below the notebook cell.

    The live page is a web page that does the same actions on the bad and the good server. `number` is the number of one
    of the bad server's ten mistakes. The servers start in the background, and the page appears after some seconds. The
    servers end when the page is closed, when this function is called again, when a lesson starts a measurement, or when
    the kernel ends. `height` is in pixels. Raises `UsageError` outside a notebook.
    """
    chosen = arrangement(number)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(f"show_live works in a notebook; in a terminal: lab live {chosen.id}") from None
    address = Address.reserve()
    # one page at a time: the next call ends the one before
    task = background.start(serve_until_closed(chosen, address, is_browser_wanted=False, say=_say_nothing))
    # also when the task is cancelled before it starts
    task.add_done_callback(lambda _: address.listener.close())
    show_output(IFrame(address.url, width="100%", height=height))


def _say_nothing(text: str) -> None:
    """Ignore `text`, because a notebook shows the page itself."""
