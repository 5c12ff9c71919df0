"""The differences between the template and a skeleton, as data.

A skeleton is the start of a new product: a copy of the template (this server) with the product's own names. This module
lists the files that are left out, added or edited. Of every other file, the skeleton has a copy in which only names are
changed. So a new file of the template needs no entry.
"""

from collections.abc import Mapping, Sequence

from .edits import Edit, append, drop, replace

# what belongs to the example product, to the template's documents or to this command; a folder ends with a slash
LEFT_OUT = (
    "new/",
    "handlers/chat.py",
    "handlers/tracking.py",
    "handlers/driver.py",
    "handlers/system.py",
    "tests/new/",
    "tests/demo/",
    # the recipes of INTEGRATE.md and their tests use the events of the example product
    "INTEGRATE.md",
    "requirements-recipes.txt",
    "tests/integrate/",
    # the TypeScript client repeats the chat messages of the example product, and its page shows its drivers
    "client/",
    "tests/client/",
    # its tests use events and rates of the example product
    "recipes/",
    "tests/chat_recipes/",
    # its settings are in pyproject.toml of a skeleton
    "pytest.ini",
    "README.md",
)
# every file of `files/` with its place in a skeleton; `@package@` is the folder of the package
ADDED: Mapping[str, str] = {
    "folder/README.md.txt": "README.md",
    "folder/pyproject.toml.txt": "pyproject.toml",
    "folder/gitignore.txt": ".gitignore",
    "folder/tests.yml.txt": ".github/workflows/tests.yml",
    "folder/VERSION.txt": "VERSION",
    "folder/requirements.txt": "requirements.txt",
    "folder/requirements-test.txt": "requirements-test.txt",
    "package_README.md.txt": "@package@/README.md",
    "handlers/notes.py.txt": "@package@/handlers/@topic@_notes.py",
    "handlers/status.py.txt": "@package@/handlers/@role@_status.py",
    "tests/init.py.txt": "@package@/tests/product/__init__.py",
    "tests/conftest.py.txt": "@package@/tests/product/conftest.py",
    "tests/test_notes.py.txt": "@package@/tests/product/test_@topic@_notes.py",
    "tests/test_status.py.txt": "@package@/tests/product/test_@role@_status.py",
}
# names of the template in its files, and what replaces them
TEMPLATE_NAME = "good_server"
RENAMED = {
    TEMPLATE_NAME: "@name@",
    "good-server": "@dash@",
    "good-worker": "@dash@-worker",
    "Dispatch platform": "@Title@",
    # the room that docstrings have as their example
    "`job:17`": "`@topic@:17`",
}
# the name in Kubernetes and in Prometheus
RENAMED_IN_DEPLOY = {"realtime": "@dash@", "Realtime server": "@Title@"}
DEPLOY = ("deploy/", "tests/deploy/")
# the license of the skeleton, by the option `--license`
LICENSES: Mapping[str, str | None] = {
    "mit": "folder/LICENSE-mit",
    "proprietary": "folder/LICENSE-proprietary",
    "none": None,
}


def edits(values: Mapping[str, str], events: str) -> Mapping[str, Sequence[Edit]]:
    """Return the functions that change the text of files, by path.

    The command `new` copies the files of this server for a new product, and calls these functions for the copies. Each
    function receives a text and returns the new text. `values` has the values of the placeholders, such as `topic`.
    `events` is the text to append to `events.py`.
    """
    title, name, topic = values["Title"], values["name"], values["topic"]
    return {
        "roles.py": [
            replace('TOPIC = "job"', f'TOPIC = "{topic}"'),
            replace(ROLES, values["role_members"]),
            replace("= frozenset({Role.COMPANY})", "= frozenset()"),
        ],
        "rooms.py": [drop("followers_of")],
        "events.py": [
            drop(*EVENTS),
            replace("ConfigDict, Field, StringConstraints, model_validator", "ConfigDict, Field, StringConstraints"),
            append(events),
        ],
        "publish.py": [replace('PREFIX = "dispatch"', f'PREFIX = "{name}"')],
        "settings/product.py": [
            replace('TITLE = "Dispatch platform"', f'TITLE = "{title}"'),
            replace('ISSUER = "rooms-not-ids"\nAUDIENCE = "dispatch"', f'ISSUER = "{name}"\nAUDIENCE = "{name}"'),
            replace('REDIS_PREFIX = "dispatch"', f'REDIS_PREFIX = "{name}"'),
            replace('`rate="chat"` has the limit `chat_per_second`', '`rate="note"` has the limit `note_per_second`'),
            replace(RATES, NEW_RATES),
        ],
        ".env.example": [
            replace("#SERVER_JWT_ISSUER=rooms-not-ids", f"#SERVER_JWT_ISSUER={name}"),
            replace("#SERVER_JWT_AUDIENCE=dispatch", f"#SERVER_JWT_AUDIENCE={name}"),
            replace("#SERVER_REDIS_PREFIX=dispatch", f"#SERVER_REDIS_PREFIX={name}"),
            replace(EXAMPLE_RATES, NEW_EXAMPLE_RATES),
        ],
        "app.py": [
            replace(HANDLERS, f"from .handlers import {values['handlers']}\n"),
            replace("        *chat.routes(parts.recent),\n", f"        *{topic}_notes.routes(parts.recent),\n"),
            replace(ROUTES, f"        *{values['role']}_status.routes(),\n"),
        ],
    }


EVENTS = (
    *("CHAT_SEND", "TRACKING_UPDATE", "DRIVER_STATUS", "SYSTEM_ANNOUNCE"),
    *("CHAT_MESSAGE", "TRACKING_POSITION", "DRIVER_STATUS_CHANGED", "SYSTEM_ANNOUNCEMENT"),
    *("Level", "Status", "ChatSend", "TrackingUpdate", "DriverStatus", "SystemAnnounce"),
    *("ChatMessage", "TrackingPosition", "DriverStatusChanged", "SystemAnnouncement"),
)
ROLES = """\
    ADMIN = "admin"
    DRIVER = "driver"
    COMPANY = "company"
    PROVIDER = "provider"
    VENDOR = "vendor"
"""
RATES = """\
    # no person types faster
    chat_per_second: Positive = 5
    # positions are useful about once per second
    tracking_per_second: Positive = 2
"""
NEW_RATES = """\
    # no person types faster
    note_per_second: Positive = 5
    # a status changes a few times per hour, but an app may repeat it
    status_per_second: Positive = 2
"""
EXAMPLE_RATES = """\
# no person types faster
#SERVER_CHAT_PER_SECOND=5
# positions are useful about once per second
#SERVER_TRACKING_PER_SECOND=2
"""
NEW_EXAMPLE_RATES = """\
# no person types faster
#SERVER_NOTE_PER_SECOND=5
# a status changes a few times per hour, but an app may repeat it
#SERVER_STATUS_PER_SECOND=2
"""
HANDLERS = "from .handlers import chat, driver, reports, rooms, session, system, tracking\n"
ROUTES = """\
        *tracking.routes(),
        *driver.routes(),
        *system.routes(),
"""
