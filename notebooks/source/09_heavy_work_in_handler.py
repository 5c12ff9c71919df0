# %% [markdown]
# # 09 · Keep heavy work out of handlers
#
# **The claim:** a server that computes a report in the handler makes everybody else wait until all earlier reports are
# done. A server that hands the work to other processes answers everybody as fast as without reports.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that other
# code may run during an `await`. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** a handler checks the request, hands the work over, and answers. Work that needs the CPU for long is done
# in another process, and its result is sent to the user's room when it is ready.
#
# **Otherwise:** while one user's report is made, nobody's messages are processed. When it takes too long, clients
# believe that their connection is lost.
#
# The *event loop* runs all handlers of a server in one thread, one piece of code at a time. At an `await` it may switch
# to another handler. Between two `await`s it cannot.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.report_waits import ReportRun, report_waits
from lab.lessons.lesson import Sweep

lesson = lab.lesson(9)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "The chat hangs for a moment, several times a day." Half of the CPU is idle, the database is fast, and each single
# request is quick when you try it. It happens when somebody in accounting opens the reports.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. `burn` stands for any long computation: a PDF, a price, a model.

# %%
lab.show(
    "bad_server.mistake_09_works_in_the_handler",
    "Handlers.make_report",
    highlight=["burn(wanted.size)"],
)

# %% [markdown]
# The function is `async`, and it has an `await` in it. Neither helps: the marked line does not wait for anything. It
# computes, and until it is done the event loop can do nothing else.

# %% [markdown]
# ## Predict
#
# A few users ask for one report each, all at the same time. Other users, the *bystanders*, want no report. They write
# to each other meanwhile and measure each answer from the moment when the request was due.
#
# How long do the slowest answers take, as a multiple of the time that *one* report takes? Put a number in place of
# `None`. The lesson also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 09` opens the same page.

# %%
# lab.show_live(9)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for everyone. If possible, run nothing
# else on this computer during the measurement. The result is the *p99* of the answer times: of a hundred answers, all
# but the slowest one take no longer.

# %%
reports = 8
bad = await lesson.measure("bad", reports=reports)

# %% [markdown]
# ## The number

# %%
print(f"one report takes {bad.details['one_report_seconds'] * 1000:.0f} ms of CPU time; {reports} were made")
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# A *heartbeat* is a small packet that shows each end that the other is still there. The same event loop sends it, so it
# is late too. The stock JavaScript client gives up the connection at the *first* heartbeat that is missing: when none
# has come for the interval plus the timeout. The stock Python client gives up when nothing at all has come for this
# time. With the defaults of Node and of Python these are 25 s and 20 s, so a stall of 45 s loses the connections, and
# then all clients come back within a few seconds. The server gives up too, when a client's answer to a heartbeat has
# not been read for the timeout.

# %% [markdown]
# ## Look closer
#
# The server seemed to serve many users at the same time. This figure shows every report and every single answer to a
# bystander.
#
# *The figure: above, each report as a block, which ends when the server sent the report. Below, how long an answer
# took, against the moment when the request was due. The requests just after the start of the reports waited longest,
# and each later one a little less: all were answered when the last report was done.*


# %%
def reports_of(side, run):
    return ReportRun(side, run.details["reports"], run.details["busy"])


longest = max(1000 * answer["took"] for answer in bad.details["busy"])
title = f"{reports} reports run one after the other, and a bystander waits up to {longest:,.0f} ms for an answer"
lab.draw(report_waits([reports_of("bad", bad)], title=title))

# %% [markdown]
# **A question before you read on:** would it help to make the reports in threads?
#
# <details><summary>The answer</summary>
#
# Only a little. In the usual Python only one thread computes at any moment (the *interpreter lock*, GIL), and the event
# loop is one of the threads that wait for the lock again and again. The exercise below also measures a thread, if you
# want to see the number. A thread does help with work that only *waits*, because a waiting thread releases the lock.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server accepts the request, gives it a job number, and answers at once. The work is done in a worker process
# with its own interpreter. When it is done, the result is sent to the user's room.

# %%
lab.show("good_server.handlers.reports", "request_report", highlight=["reports.request(", "to = "])
lab.show(
    "good_server.reports.embedded",
    "EmbeddedReports.request",
    "ReportRunner._burn",
    highlight=["to_process", "raise Busy"],
)

# %% [markdown]
# Note what the job stores: the user, not the connection ([lesson 02](02_emit_by_socket_id.ipynb)). Note also the line
# that refuses a job (*admission control*): an unbounded queue only delays the problem.

# %% [markdown]
# ## Measure the good server
#
# The same users, reports and bystanders. Only the server is different.

# %%
good = await lesson.measure("good", reports=reports)
lesson.numbers(bad=bad, good=good)
slow, quick = (f"{run.also['busy_p99_milliseconds']:,.0f} ms" for run in (bad, good))

# %% [markdown]
# ## Side by side
#
# *The figure: the reports and the waits on both servers, on the same axes. On the good server several reports run at
# the same time, in worker processes, and the waits stay near zero. If you made a guess, it stands below the title.*

# %%
waits = {"bad": f"{longest:,.0f} ms", "good": f"{max(1000 * one['took'] for one in good.details['busy']):,.0f} ms"}
title = f"The longest wait of a bystander: {waits['bad']} with reports in the handler, {waits['good']} with workers"
figure = report_waits([reports_of("bad", bad), reports_of("good", good)], title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** there are more processes, each with its own memory, and arguments and results are copied between them.
# The answer now has two parts, a job number at once and the result later, so the client must handle both. The server
# must refuse jobs when the queue is full, and must report a job whose worker has died.
#
# **Where it bends:** *heavy* depends on how long your users accept to wait, not on a fixed rule. Work of a fraction of
# a millisecond belongs in the handler: handing it over would cost more than doing it. Work that waits for a database or
# another service needs no process: `await` it with an asynchronous library, or run a blocking library in a thread. Only
# work that *computes* needs another process. (There are Python builds without the lock, in which threads compute in
# parallel. Most servers do not run on one yet.)
#
# **What it does not do:** it does not make a report faster, and it does not add CPUs. When reports are requested faster
# than they can be made, the queue fills. Here the jobs are also kept in memory, so they are lost when the server ends.
# With `SERVER_REDIS_URL` set, they wait in Redis for separate workers (`python -m good_server worker`). The handler is
# the same.

# %% [markdown]
# ## Turn the knob
#
# How much longer does a bystander wait for each further report? We make two more runs on each server, with fewer
# reports. The third point is the one from above.
#
# *The figure: the slowest answers against the number of reports, a rising line for the bad server and a flat one for
# the good one. To try more, change the list of numbers.*

# %%
fewer = [2, 5]
swept = await lesson.sweep("reports", fewer)
runs = {"bad": [*swept.runs["bad"], bad], "good": [*swept.runs["good"], good]}
title = "One more report delays bystanders by {bad} reports' time on the bad server, {good} on the good one"
lesson.growth(Sweep("reports", [*fewer, reports], runs), each="report", title=title)

# %% [markdown]
# On the bad server the reports run one after the other, and everybody else waits behind them.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that reports are made and bystanders do not notice. `__init__`
# receives `parts`, and `parts.reports` is the server's own pool of workers.

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
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it, and shows the
# numbers.

# %%
await lab.grade(9, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(9)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(9)`
# shows one way to write the code.

# %% [markdown]
# ## Find it in your own code
#
# This mistake can be seen in code only in part: `lab check PATH` knows many calls that block, such as a synchronous
# hash, but not how long your own functions compute. The cell checks the bad server's module and a Node file with the
# same mistake. How long others wait is measured by `lab compare --only 09`, on the two servers of this kit.

# %%
lab.find_in_code(9)

# %% [markdown]
# ## For the interview
#
# *"A handler has to make a PDF. How do you build it?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""The handler checks the request, puts the job into a bounded queue and answers with its number.
A worker process makes the PDF, and the result goes to the user's room. I do not do it in the handler,
because one event loop serves everybody, and not in a thread, because computing threads share one
interpreter lock with the loop. With {reports} reports in the handler, bystanders' p99 was {slow}, {bad.value:.1f} times
the report itself. With worker processes it was {quick}, {good.value:.2f} times.""",
)

# %% [markdown]
# <details><summary>The follow-up: how would you notice it in production?</summary>
#
# Measure the lag of the event loop: ask it to wake you in a hundredth of a second, and see when it does. A graph of the
# highest lag in each minute shows every handler that computes, no matter who wrote it. Average response times hide it.
# The CPU load hides it too: one busy core among many looks like a quiet day.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** both have one event loop, and the mistake is the same. In Node the work goes to `worker_threads`,
# which compute in parallel. In Python it goes to *processes* (`anyio.to_process`, `ProcessPoolExecutor`), because
# threads share the lock. In both, `async` in front of a function does not move its work elsewhere.
#
# - `await` lets other handlers run. A computation blocks them.
# - Use a thread for work that waits and a process for work that computes.
# - Measure the bystanders, not the user who asked for the work.
#
# Next: [10 · Set limits before production](10_no_limits.ipynb)

# %%
lesson.check(bad, good)
