# %% [markdown]
# # 09 · Keep heavy work out of handlers
#
# **The claim:** a server that computes a report in the handler lets everybody else wait until all the reports before
# them are done; a server that hands the work to other processes answers everybody as if nothing happened.
#
# *Ten minutes. You need to know what a function is in Python, and that `await` lets others go first. New here? Begin
# with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** a handler checks, hands over, and answers. Whatever needs a processor for long is done in another
# process, and its result is sent to the user's room when it is there.
#
# **Otherwise:** while one user's report is made, nobody's messages move, and with enough reports everyone is
# disconnected.
#
# The *event loop* is the one worker that runs all handlers of a server, one piece at a time. At an `await` it may take
# up something else; between two of them it cannot.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts
from lab.lessons.lesson import Sweep

lesson = lab.lesson(9)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "The chat hangs for a moment, several times a day." The processor is half idle, the database is fast, and each single
# request is quick when you try it. It happens when somebody in accounting opens the reports.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. `burn` stands for whatever computes: a PDF, a price, a model.

# %%
lab.show(
    "bad_server.mistake_09_works_in_the_handler",
    "Handlers.make_report",
    highlight=["burn(wanted.size)"],
)

# %% [markdown]
# The function is `async`, and it has an `await` in it. Neither helps: the marked line does not wait for anything. It
# computes, and until it is done the loop can do nothing else.

# %% [markdown]
# ## Predict
#
# A few users ask for a report each, all at once. *Bystanders*, who want no report, write to each other meanwhile and
# time each answer from the moment at which they wanted to ask.
#
# How long do the slowest answers take, as a multiple of the time that *one* report takes? Put a number in place of
# `None`; without one the lesson runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, a real Socket.IO client for everyone, and nothing else on this computer if you
# can help it. What is measured is the *p99* of the answers' times: of a hundred answers, all but the slowest one take
# no longer.

# %%
reports = 8
bad = await lesson.measure("bad", reports=reports)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, how many reports' time the slowest answers took, next to the bound it was
# expected to pass.*

# %%
print(f"one report takes {bad.details['one_report_seconds'] * 1000:.0f} ms of a processor's time; {reports} were made")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# A *heartbeat* is a small question by which both ends know that the other is there. It is asked by the same loop. One
# that comes late is a warning; after several, clients give the server up and reconnect, all of them at once.

# %% [markdown]
# ## Look closer
#
# The server believed that it was serving many users at the same time. Here is every single answer to a bystander.
#
# *The figure: how long an answer took, against the moment at which the question was due. Whoever asked just after the
# reports began waited longest, and each later one a little less: all were answered at the same moment, when the last
# report was done.*

# %%
seen = bad.details["busy"]
due, took = [one["due"] for one in seen], [1000 * one["took"] for one in seen]
title = f"Everybody waits for the last report: up to {max(took):,.0f} ms for an answer (n={len(took)})"
lines = {"bystanders": (due, took)}
lab.draw(charts.levels(lines, title=title, x_label="seconds since the reports were asked for", y_label="took (ms)"))

# %% [markdown]
# **A question before you read on:** would it help to make the reports in threads?
#
# <details><summary>The answer</summary>
#
# Less than one hopes. In the usual Python only one thread computes at any moment (the *interpreter lock*, GIL), and the
# loop is one of those that wait for their turn, again and again. The exercise below grades a thread, if you would like
# to see the number. A thread does help with work that only *waits*, since who waits gives the lock away.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server takes the request, gives it a number, and answers at once. The work is done in a worker process, with
# an interpreter of its own; when it is done, the result goes to the user's room.

# %%
lab.show("good_server.handlers.reports", "request_report", highlight=["reports.request(", "to = "])
lab.show(
    "good_server.services.reports",
    "EmbeddedReports.request",
    "Workshop._burn",
    highlight=["to_process", "raise Busy"],
)

# %% [markdown]
# Note what the job keeps: the user, not the connection ([lesson 02](02_emit_by_socket_id.ipynb)). And note the line
# that says no: a queue without an end only moves the trouble.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same reports, the same bystanders; only the server differs.

# %%
good = await lesson.measure("good", reports=reports)
lesson.numbers(bad=bad, good=good)
slow, quick = (f"{run.also['busy_p99_milliseconds']:,.0f} ms" for run in (bad, good))

# %% [markdown]
# ## Side by side
#
# *The figure: the slowest answers on the bad and on the good server, as multiples of one report's time, on one axis,
# each with its bound as a dashed line.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** more processes, each with its own memory; arguments and results are copied between them; and the answer
# now comes in two parts, a number at once and the result later, so the client must know both. A full queue has to be
# refused, and a job that dies with its worker has to be told.
#
# **Where it bends:** *heavy* is measured against what your users will wait for, not against a rule. What takes a
# fraction of a millisecond belongs in the handler: handing it over would cost more than doing it. Work that waits, for
# a database or another service, needs no process: `await` it with an asynchronous library, or put a library that blocks
# into a thread. Only what *computes* needs another process. (There are Pythons without the lock, in which threads
# compute side by side; most servers do not run on one yet.)
#
# **What it does not do:** it makes no report faster, and no processor more. When reports are asked for faster than they
# can be made, the queue fills. And these jobs live in memory, and end with the server. With `SERVER_REDIS_URL` set they
# wait in Redis, for workers of their own (`python -m good_server worker`); the handler is the same.

# %% [markdown]
# ## Turn the knob
#
# What does each further report cost a bystander? Two more runs on each server, with fewer reports; the third point is
# the one from above.
#
# *The figure: the slowest answers against the number of reports, a rising line for the bad server and a level one for
# the good one. To turn it further, change the list of numbers.*

# %%
fewer = [2, 5]
swept = await lesson.sweep("reports", fewer)
runs = {"bad": [*swept.runs["bad"], bad], "good": [*swept.runs["good"], good]}
title = "A further report costs bystanders {bad} reports' time on the bad server, {good} on the good one"
lesson.growth(Sweep("reports", [*fewer, reports], runs), each="report", title=title)

# %% [markdown]
# In the bad server the reports stand in one line, and so does everybody else, behind them.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that reports are made and bystanders do not notice. `parts`, of
# which `__init__` is given, has the server's own pool of workers: `parts.reports`.

# %% tags=["exercise"]
import uuid

from bad_server import mistake_09_works_in_the_handler as mistake
from good_server import events
from good_server.rooms import user_room
from good_server.services.cpu import burn
from good_server.services.reports import compose


class Handlers(mistake.Handlers):
    def __init__(self, namespace, parts):
        super().__init__(namespace, parts)

    async def make_report(self, request, wanted):
        job = uuid.uuid4().hex
        report = compose(job, wanted.kind, burn(wanted.size))
        await self.send(events.REPORT_READY, report, to=(user_room(request.identity.user),))
        return {"job": job}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, and answers in
# numbers.

# %%
await lab.grade(9, Handlers)

# %% [markdown]
# Stuck? `lab.hint(9)` in a cell of its own says a little more each time, and `lab.solution(9)` shows one way to write
# it once you have passed.

# %% [markdown]
# ## For the interview
#
# *"A handler has to make a PDF. How do you build it?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""The handler checks the request, puts the job into a bounded queue and answers with its number.
A worker process makes it; the result goes to the user's room. Not in the handler, since one event loop
serves everybody, and not in a thread, since computing threads share one interpreter lock with the
loop. With {reports} reports in the handler, bystanders' p99 was {slow}, {bad.value:.1f} times the report itself; with
worker processes it was {quick}, {good.value:.2f} times.""",
)

# %% [markdown]
# <details><summary>The follow-up: how would you notice it in production?</summary>
#
# Measure how late the loop is: ask it to wake you in a hundredth of a second, and see when it does. A graph of the
# worst lateness in each minute shows every handler that computes, whoever wrote it. Averages of response times hide it,
# and so does the processor's load: one busy core among many looks like a quiet day.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** both have one event loop, and the mistake is the same. In Node the work goes to `worker_threads`,
# which compute side by side; in Python to *processes* (`anyio.to_process`, `ProcessPoolExecutor`), as threads share the
# lock. `async` in front of a function moves no work away, in either.
#
# - `await` shares the loop. Computing holds it.
# - A thread for what waits, a process for what computes.
# - Measure bystanders, not the one who asked for the work.
#
# Next: [10 · Set limits before production](10_no_limits.ipynb)

# %%
lesson.check(bad, good)
