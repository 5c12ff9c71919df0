"""All settings and limits of the server; `settings.py` lists them."""

from .keys import DEVELOPMENT_SECRET
from .loading import load_settings
from .settings import Settings
from .sources import SettingsError

__all__ = ["DEVELOPMENT_SECRET", "Settings", "SettingsError", "load_settings"]
