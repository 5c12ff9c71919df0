"""Test the event stream of a session."""

import asyncio

import pytest
from lab.live.stream import Stream


async def take(stream, since, count):
    found = []
    async for event in stream.read(since):
        found.append(event.seq)
        if len(found) == count:
            break
    return found


async def test_every_reader_gets_every_event_in_order():
    stream = Stream()
    stream.publish("good", "connect", origin="ana/1")
    async with asyncio.timeout(2):
        readers = [asyncio.create_task(take(stream, since, count)) for since, count in ((0, 3), (1, 2))]
        await asyncio.sleep(0)
        stream.publish("bad", "cut", origin="ana/1")
        stream.publish("bad", "connect", origin="ana/1")
        assert await asyncio.gather(*readers) == [[1, 2, 3], [2, 3]]


async def test_an_event_has_the_fields_of_the_contract():
    event = Stream().publish("bad", "sent", origin="ana/1", to="user:ben", id="m1").as_json()
    assert event.keys() == {"seq", "at", "side", "kind", "from", "to", "room", "id"}
    assert (event["from"], event["to"], event["room"]) == ("ana/1", "user:ben", None)


async def test_the_session_waits_for_its_first_page():
    stream = Stream()
    waiting = asyncio.create_task(stream.wait_until_left(0.05))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    reading = asyncio.create_task(take(stream, 0, 1))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    reading.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait([reading])
        await waiting


async def test_a_page_that_is_loaded_again_does_not_end_the_session():
    stream = Stream()
    waiting = asyncio.create_task(stream.wait_until_left(0.5))
    for _ in range(3):
        reading = asyncio.create_task(take(stream, 0, 1))
        await asyncio.wait([waiting], timeout=0.05)
        reading.cancel()
        await asyncio.wait([reading])
    reading = asyncio.create_task(take(stream, 0, 1))
    done, _ = await asyncio.wait([waiting], timeout=0.7)
    assert not done
    for task in (reading, waiting):
        task.cancel()
    await asyncio.gather(reading, waiting, return_exceptions=True)


@pytest.mark.parametrize("at", [None, -5.0])
async def test_no_event_is_before_the_beginning(at):
    assert Stream().publish("good", "cut", at=at).at >= 0
