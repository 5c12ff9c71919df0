"""What a server remembers about its clients.

Code that the lab runs in the server process reads this memory.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from good_server.rooms import user_room
from lab.servers.probe_client import SilentServerError
from lab.servers.state_client import Emit, StateClient
from lab.servers.target import Target

# what a question to the probe of a server that is down raises
NO_SERVER = (aiohttp.ClientError, OSError, SilentServerError)
# the tables of the bad server's handlers that the page understands
SOCKET_IDS, ROWS, ONLINE = "socket_ids", "members", "online_since"


@dataclass(frozen=True)
class Memory:
    """What a server remembers at one moment: its rooms and tables.

    `rooms_of` maps each live socket id to its rooms, without the room that every socket has for itself. `tables` has
    what the handlers store in addition, such as socket ids.
    """

    rooms_of: Mapping[str, Sequence[str]]
    tables: Mapping[str, Any]

    @property
    def named(self) -> dict[str, Any]:
        """Return a dict of everything that the server remembers.

        `rooms` maps each room to its sockets. The other keys name what the handlers store, such as socket ids.
        """
        rooms: dict[str, list[str]] = {}
        for sid, names in sorted(self.rooms_of.items()):
            for name in names:
                rooms.setdefault(name, []).append(sid)
        return {"rooms": dict(sorted(rooms.items())), **self.tables}

    @property
    def reports(self) -> Mapping[str, Sequence[str]]:
        """Return the job ids of open reports, each with its addresses.

        An open report is requested, but not sent yet. The addresses are the rooms and socket ids to which the server
        will send the finished report.
        """
        found: Mapping[str, Sequence[str]] = self.tables.get("reports", {})
        return found

    @property
    def addresses(self) -> set[str]:
        """Return every room and socket id that has a live socket."""
        return {name for names in self.rooms_of.values() for name in names} | set(self.rooms_of)

    @property
    def kept(self) -> int:
        """Return how many entries in `tables` belong to no live socket.

        `tables` has what the handlers store. Such an entry is the id of a lost socket, or a user without a socket.
        """
        addresses = self.addresses
        ids = [sid for held in self.tables.get(SOCKET_IDS, {}).values() for sid in held]
        # a report for a room is not about one socket: the room may be empty for a while
        ids += [address for held in self.reports.values() for address in held if ":" not in address]
        users = [user for _, user in self.tables.get(ROWS, ())] + list(self.tables.get(ONLINE, ()))
        return sum(sid not in addresses for sid in ids) + sum(user_room(user) not in addresses for user in users)

    def missing(self, users: Sequence[str]) -> list[str]:
        """Return the connected users that the server wrongly treats as absent.

        The bad server's handlers store who is a member of a room, or who is online. A returned user is connected, but
        is not stored. Only users in `users` are checked.
        """
        rows = {user for _, user in self.tables[ROWS]} if ROWS in self.tables else set(users)
        online = set(self.tables.get(ONLINE, users))
        return [user for user in users if user_room(user) in self.addresses and user not in rows & online]


async def read_memory(target: Target, *, emits_since: int) -> tuple[Memory, list[Emit]]:
    """Return a server's memory, and the newest emits of this server.

    The memory has the server's rooms, and what its handlers store. The first `emits_since` recorded emits are left out.
    """
    state = StateClient(target.probe)
    # the emits first: the report of an emit that was read is then no longer among the open ones
    emits = await state.emits(since=emits_since)
    occupants, records = await asyncio.gather(
        state.occupants(target.namespace, None),
        state.records(target.namespace),
    )
    rooms_of = {sid: sorted(room for room in rooms if room != sid) for sid, rooms in occupants.items()}
    return Memory(rooms_of, records["records"] | {"reports": records["reports"]}), emits
