"""The ten mistakes behind one server, on the same delivery path and behind the same guards as the good one."""

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

# in reading order; the position is the number of the mistake and of its namespace
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
    """All ten, each in its namespace `/mistake-01` … `/mistake-10`."""
    parts = create_parts(settings)
    return assemble(parts, [mistake.Handlers(f"/mistake-{n:02}", parts) for n, mistake in enumerate(MISTAKES, 1)])
