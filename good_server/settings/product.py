"""The names and the settings of the product built on this server."""

from pydantic_settings import BaseSettings

from .values import Positive

# the title of the exported contract and of the command line
TITLE = "Dispatch platform"
# the default of the issuer and the audience of tokens
ISSUER = "rooms-not-ids"
AUDIENCE = "dispatch"
# the default of SERVER_REDIS_PREFIX; `publish.py` has the same, as it reads no settings
REDIS_PREFIX = "dispatch"
RATE_SUFFIX = "_per_second"


class ProductSettings(BaseSettings):
    """Settings of the product that is built on this server.

    A rate limit is in events per second, for each user. A route (an event with its handler) that is declared with
    `rate="chat"` has the limit `chat_per_second`.
    """

    # no person types faster
    chat_per_second: Positive = 5
    # positions are useful about once per second
    tracking_per_second: Positive = 2


RATES = tuple(name.removesuffix(RATE_SUFFIX) for name in ProductSettings.model_fields if name.endswith(RATE_SUFFIX))
