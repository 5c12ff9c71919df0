"""Names the files in which the lab keeps records for its user.

The files are in the user's state folder, as each operating system defines it, and not in the repository.
"""

from pathlib import Path

import platformdirs

FOLDER = "rooms-not-ids"


def state_file(name: str) -> Path:
    """Return the path of a file in the user's state folder.

    The file and the folder may not exist yet.
    """
    return platformdirs.user_state_path(FOLDER) / name
