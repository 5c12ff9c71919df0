"""All settings and limits of the server. `settings.py` lists them."""

from .keys import DEVELOPMENT_SECRET, is_loopback
from .loading import load_settings
from .settings import Settings
from .sources import SettingsError

__all__ = ["DEVELOPMENT_SECRET", "Settings", "SettingsError", "is_loopback", "load_settings"]
