"""Test the failure drill of lesson 12: Redis stops and restarts.

Without Redis, messages within one process arrive, and messages to the other process are lost. After the restart all
messages arrive again.
"""

import pytest
from lab.scaling.outage import Outage, SentMessage, outage


@pytest.mark.timing
@pytest.mark.timeout(120)
async def test_without_redis_only_messages_between_processes_are_lost(redis_program):
    result = await outage(users=16)
    assert all(message.is_acked for message in result.sent)
    assert result.missing(is_near=True) == []
    lost = [message.sent_at for message in result.missing(is_near=False)]
    assert lost
    # no loss before the outage; the servers counted every loss, and also emits without a recipient
    assert min(lost) > result.stopped_at - 0.5
    assert len(lost) <= result.lost_counted
    assert [answer for _, answer in result.ready] == ["ready", "degraded", "ready"]
    assert result.recovered_at < max(message.sent_at for message in result.sent) - 0.25


def test_arrived_messages_are_grouped_by_sending_time():
    sent = [SentMessage(0.1, True, True), SentMessage(0.2, True), SentMessage(0.3, True, True), SentMessage(0.1, False)]
    result = Outage(sent, 0.15, 0.2, 1)
    assert result.arrived_percent(is_near=True) == ([0.0, 0.25], [50.0, 100.0])
    assert (result.missing(is_near=False), result.recovered_at) == ([sent[3]], 0.1)
