"""All settings and limits of the server, each with its reason: see `settings.py`."""

from .keys import DEVELOPMENT_SECRET
from .loading import load_settings
from .settings import Settings
from .sources import SettingsError

__all__ = ["DEVELOPMENT_SECRET", "Settings", "SettingsError", "load_settings"]
