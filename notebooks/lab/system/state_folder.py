"""Finds the files that store a user's results between runs.

The files, such as `quiz.json`, are not in the repository. They are in the user's state folder, which each operating
system defines.
"""

from pathlib import Path

import platformdirs

FOLDER = "rooms-not-ids"


def state_file(name: str) -> Path:
    """Return the path of a file in the user's state folder.

    The file and the folder may not exist yet.
    """
    return platformdirs.user_state_path(FOLDER) / name
