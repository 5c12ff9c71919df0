"""Builds the bad server, which has ten common Socket.IO mistakes.

Apart from these mistakes, the bad server is built like the good server.
"""

from bad_server import (
    mistake_01_stores_socket_ids,
    mistake_02_emits_to_a_socket_id,
    mistake_03_joins_the_room_once,
    mistake_04_saves_membership_in_a_database,
    mistake_05_cleans_up_by_hand,
    mistake_06_broadcasts_to_everyone,
    mistake_07_blocks_the_second_tab,
    mistake_08_trusts_the_client,
    mistake_09_works_in_the_handler,
    mistake_10_forgets_limits,
)
from good_server.app import Application, assemble, create_parts
from good_server.settings import Settings

# A part of mistake 10; the rest is in its module. Nobody set a frame limit, so the library's default applies.
# The limit is a setting of the whole server. The other nine mistakes send much smaller frames.
LIBRARY_FRAME_BYTES = 1_000_000

# in reading order: the position is the number of the mistake and of its namespace
MISTAKES = (
    mistake_01_stores_socket_ids,
    mistake_02_emits_to_a_socket_id,
    mistake_03_joins_the_room_once,
    mistake_04_saves_membership_in_a_database,
    mistake_05_cleans_up_by_hand,
    mistake_06_broadcasts_to_everyone,
    mistake_07_blocks_the_second_tab,
    mistake_08_trusts_the_client,
    mistake_09_works_in_the_handler,
    mistake_10_forgets_limits,
)


def create_app(settings: Settings) -> Application:
    """Creates the bad server, with all ten mistakes.

    Each mistake has its own namespace: `/mistake-01` … `/mistake-10`.
    """
    parts = create_parts(_without_frame_limit(settings))
    return assemble(parts, [mistake.Handlers(f"/mistake-{n:02}", parts) for n, mistake in enumerate(MISTAKES, 1)])


def _without_frame_limit(settings: Settings) -> Settings:
    if "max_frame_bytes" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"max_frame_bytes": LIBRARY_FRAME_BYTES})
