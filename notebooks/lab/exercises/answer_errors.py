"""Records and describes the faults of a learner's answer to an exercise.

A fault is, for example, an exception or a blocked event loop. The server process that runs the answer appends each
fault to a file. The process that grades reads the file, also while the server runs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["raised", "logged", "ended", "blocked", "stuck", "waited", "unawaited", "later", "held", "starved"]
# after these the server serves nobody any more
FATAL: frozenset[Kind] = frozenset({"ended", "stuck"})
# these are the cause of whatever the clients see, so they are told first
CAUSES: tuple[Kind, ...] = ("ended", "stuck", "unawaited", "blocked", "waited")
# an exception that is raised again and again is noted a few times only
MOST_NOTED = 200
# as many moments in which the server waited for a CPU make times of that run worthless
STARVED_MOMENTS = 5
# in a notebook, the lines of the module above this one are not those of the cell
CELL_MARK = "# the lines of the cell follow"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a learner's answer, with its function and line.

    `text` has details, such as an exception or a duration. `line` is 0 when the place is not in the code of the answer.
    """

    kind: Kind
    text: str
    function: str = ""
    line: int = 0


def note(file: Path, fault: Fault) -> None:
    """Append a fault of a learner's answer to `file`."""
    with file.open("a", encoding="utf-8") as faults:
        faults.write(json.dumps(asdict(fault)) + "\n")


def read(file: Path) -> list[Fault]:
    """Return all faults of a learner's answer recorded in `file` so far."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    # the last line may be half written
    lines = text.splitlines()[: text.count("\n")]
    return [Fault(**json.loads(line)) for line in lines]


def is_held(faults: Sequence[Fault]) -> bool:
    """Whether one of `faults` says that the event loop was blocked.

    Faults are problems that were recorded while a learner's answer ran.
    """
    return any(fault.kind in ("held", "blocked", "stuck") for fault in faults)


def is_starved(faults: Sequence[Fault]) -> bool:
    """Whether `faults` say that the server often waited for a CPU.

    If they do, the times that were measured on this server are worthless.
    """
    return sum(fault.kind == "starved" for fault in faults) >= STARVED_MOMENTS


def cause(faults: Sequence[Fault], source: str) -> str:
    """Return a sentence about the fault that caused the clients' problems.

    A fault is an error in a learner's answer, such as a missing `await`. If no fault is a possible cause, the result is
    an empty string. `source` is the code of the learner's answer.
    """
    for kind in CAUSES:
        for fault in faults:
            if fault.kind == kind:
                return _sentence(fault, source)
    return ""


def _sentence(fault: Fault, source: str) -> str:
    place = f"{fault.function}{_place(fault, source)}"
    match fault.kind:
        case "ended":
            return f"Your code ended the server process with {fault.text} in {place}."
        case "stuck":
            return (
                f"Your code held the event loop for {fault.text} in {place}: nobody was served meanwhile, and the"
                " process was ended. Does a loop never end there, or does it wait without `await`?"
            )
        case "unawaited":
            return f"An `await` is missing in {place}: {fault.text}."
        case "blocked":
            return f"Your code held the event loop for {fault.text} in {place}: nobody is served meanwhile."
        case _:
            return f"Your code waited for {fault.text} in {place}, and did not go on."


def later(faults: Sequence[Fault], source: str) -> str:
    """Return a phrase about a delayed callback of a learner's answer.

    The answer has scheduled the callback to run some seconds later, so a check may end before the callback runs. If
    `faults` has no such callback, the phrase is empty. `source` is the code of the answer.
    """
    fault = next((fault for fault in faults if fault.kind == "later"), None)
    return f"something in {fault.text}, in {fault.function}{_place(fault, source)}" if fault is not None else ""


def _place(fault: Fault, source: str) -> str:
    return f", {_line(fault.line, source)}" if fault.line else ""


def _line(number: int, source: str) -> str:
    """Return a phrase with the number and code of a line.

    In a notebook, line 1 is the first line of the cell.
    """
    lines = source.splitlines()
    above = lines.index(CELL_MARK) + 1 if CELL_MARK in lines else 0
    text = lines[number - 1 + above].strip() if 0 < number + above <= len(lines) else ""
    return f"line {number} (`{text}`)" if text else f"line {number}"


def raised(faults: Sequence[Fault], source: str) -> str:
    """Return sentences about the exceptions that a learner's answer has raised.

    Clients do not see these exceptions. The text is appended to the message of a grade. If the code of the answer
    raised no exception, the text is about the first error that the server logged. If the server logged no error either,
    the text is an empty string.
    """
    own = [fault for fault in faults if fault.kind == "raised"]
    if own:
        first = own[0]
        where = f" It is {_line(first.line, source)}." if first.line else ""
        return f" Your code raised {len(own)} exceptions, first {first.text} in {first.function}.{where}"
    logged = next((fault for fault in faults if fault.kind == "logged"), None)
    if logged is None:
        return ""
    advice = " Is an `async` missing before a `def`?" if "'await' expression" in logged.text else ""
    return f" The server logged {logged.text} in {logged.function}.{advice}"
