"""The drill of lesson 12: what is local goes on without Redis, what is not is lost, and all comes back by itself."""

import pytest
from lab.scaling.outage import Outage, SentMessage, outage


@pytest.mark.timeout(120)
async def test_without_redis_only_what_goes_to_the_other_process_is_lost(redis_program):
    told = await outage(users=16, before_seconds=1.0, away_seconds=1.0, after_seconds=2.5)
    assert all(one.is_acked for one in told.sent)
    assert told.missing(is_near=True) == []
    lost = [one.at for one in told.missing(is_near=False)]
    assert lost
    # nothing before it went; and each that is missing was counted, as were those that nobody missed
    assert min(lost) > told.stopped_at - 0.5
    assert len(lost) <= told.lost_counted
    assert [word for _, word in told.ready] == ["ready", "degraded", "ready"]
    assert told.recovered_at < max(one.at for one in told.sent) - 0.25


def test_what_arrived_is_told_by_when_it_was_sent():
    sent = [SentMessage(0.1, True, True), SentMessage(0.2, True), SentMessage(0.3, True, True), SentMessage(0.1, False)]
    told = Outage(sent, 0.15, 0.2, 1)
    assert told.arrived(is_near=True) == ([0.0, 0.25], [50.0, 100.0])
    assert (told.missing(is_near=False), told.recovered_at) == ([sent[3]], 0.1)
