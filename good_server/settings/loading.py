"""Reads the settings, and reports a wrong setting in one line."""

import logging
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from .settings import Settings
from .sources import ENV_FILE, PREFIX, SettingsError, unknown_settings, written_settings

# old names of settings, with the ones that replaced them
RENAMED = {"refusals_in_a_row": "refusals_per_minute"}

log = logging.getLogger(__name__)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. `overrides` replace values of the environment and of the file `.env`.

    Raises `SettingsError` with one line that names the wrong setting.
    """
    written = written_settings(overrides.get("_env_file", ENV_FILE))
    _refuse_old_names([*written, *(PREFIX + name.upper() for name in overrides)])
    _report_unknown(written, overrides)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = f"{PREFIX}{first['loc'][0]}: ".upper() if first["loc"] else ""
        raise SettingsError(name + first["msg"].removeprefix("Value error, ")) from None
    except ValueError as error:
        raise SettingsError(str(error).splitlines()[0]) from None


def _refuse_old_names(written: Collection[str]) -> None:
    """Raise `SettingsError` if `written` contains the former name of a setting.

    `written` has the names of all settings that have a value. An old name is an error in development, too: otherwise
    the server would start, and ignore the value.
    """
    for old, new in RENAMED.items():
        if f"{PREFIX}{old.upper()}" in written:
            raise SettingsError(f"{PREFIX}{old.upper()} is no setting any more: {PREFIX}{new.upper()} replaces it")


def _report_unknown(written: dict[str, str], overrides: dict[str, Any]) -> None:
    """Raise `SettingsError` for unknown names in production, and warn in development.

    `written` maps the names in the environment and in `.env` to their values. `overrides` has the arguments
    of `load_settings`, one of which may be `env="production"`. An unknown name is usually a misspelled setting. Without
    this report, nobody would notice that such a setting has no effect.
    """
    unknown = unknown_settings(written, Settings.model_fields)
    env = overrides.get("env") or written.get(f"{PREFIX}ENV")
    if unknown and env == "production":
        raise SettingsError("; ".join(unknown))
    for line in unknown:
        # before the log is configured Python writes a warning to stderr, as it is
        log.warning("warning: %s", line)
