"""What a server remembers about its clients, as its probe sees it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from good_server.rooms import user_room
from lab.servers.state_client import Emit, StateClient
from lab.servers.target import Target

# the tables of the bad server's handlers that the page understands
SOCKET_IDS, ROWS, ONLINE = "socket_ids", "members", "online_since"


@dataclass(frozen=True)
class Memory:
    """The rooms of a namespace, and its handlers' tables, at one moment.

    `rooms_of` maps each live socket id to its rooms, without the room that every socket has for itself.
    """

    rooms_of: Mapping[str, Sequence[str]]
    tables: Mapping[str, Any]

    @property
    def named(self) -> dict[str, Any]:
        """Return everything by name: the rooms with their sockets, then the tables."""
        rooms: dict[str, list[str]] = {}
        for sid, names in sorted(self.rooms_of.items()):
            for name in names:
                rooms.setdefault(name, []).append(sid)
        return {"rooms": dict(sorted(rooms.items())), **self.tables}

    @property
    def addresses(self) -> set[str]:
        """Return every room and socket id that has a live socket."""
        return {name for names in self.rooms_of.values() for name in names} | set(self.rooms_of)

    @property
    def kept(self) -> int:
        """Return the number of table entries without a live socket."""
        addresses = self.addresses
        ids = [sid for held in self.tables.get(SOCKET_IDS, {}).values() for sid in held]
        users = [user for _, user in self.tables.get(ROWS, ())] + list(self.tables.get(ONLINE, ()))
        return sum(sid not in addresses for sid in ids) + sum(user_room(user) not in addresses for user in users)

    def missing(self, users: Sequence[str]) -> list[str]:
        """Return connected users who are missing in a table of the handlers."""
        rows = {user for _, user in self.tables[ROWS]} if ROWS in self.tables else set(users)
        online = set(self.tables.get(ONLINE, users))
        return [user for user in users if user_room(user) in self.addresses and user not in rows & online]


async def read_memory(target: Target, *, emits_since: int) -> tuple[Memory, list[Emit]]:
    """Return the server's memory, and its emits after the first `emits_since` ones."""
    state = StateClient(target.probe)
    occupants, records, emits = await asyncio.gather(
        state.occupants(target.namespace, None),
        state.records(target.namespace),
        state.emits(since=emits_since),
    )
    rooms_of = {sid: sorted(room for room in rooms if room != sid) for sid, rooms in occupants.items()}
    return Memory(rooms_of, records["records"] | {"reports": records["reports"]}), emits
