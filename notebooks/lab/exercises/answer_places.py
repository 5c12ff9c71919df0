"""Finds which function and line of a learner's answer runs."""

import asyncio
import traceback
import types
from contextlib import suppress
from pathlib import Path

# the file name of the answer in tracebacks
ANSWER = "<answer>"
ASYNCIO_FOLDER = Path(asyncio.__file__).parent


def place_of(error: BaseException) -> tuple[str, int] | None:
    """Return where the code of a learner's answer raised an exception.

    Returns the innermost function and line of the answer, or None if the exception did not pass through the code of the
    answer.
    """
    places = [
        (frame.name, frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == ANSWER
    ]
    return places[-1] if places else None


def place_in(frame: types.FrameType | None) -> tuple[str, int] | None:
    """Find the running line of a learner's answer in a call stack.

    `frame` is the innermost frame of the stack. The result is a function name and a line, or None if no frame of the
    stack is in the answer.
    """
    with suppress(RuntimeError):
        while frame is not None:
            if frame.f_code.co_filename == ANSWER:
                return frame.f_code.co_name, frame.f_lineno
            frame = frame.f_back
    return None


def place_of_call(frame: types.FrameType | None) -> tuple[str, int] | None:
    """Return the place in a learner's answer that calls asyncio.

    `frame` is the frame of the call. Frames of asyncio itself are skipped. The result is a function name and a line, or
    None if the call does not come from the code of the answer.
    """
    while frame is not None and Path(frame.f_code.co_filename).parent == ASYNCIO_FOLDER:
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename != ANSWER:
        return None
    return frame.f_code.co_name, frame.f_lineno
