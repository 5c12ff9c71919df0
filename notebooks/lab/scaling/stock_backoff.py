"""The default reconnect delays of the JavaScript client of Socket.IO."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """The reconnect delays of Socket.IO's JavaScript client, with its default options.

    The delay doubles with each attempt, up to `most_seconds`. `jitter` is the option `randomizationFactor`; 0 turns the
    jitter off. The test `tests/lab/scaling/test_storm.py` compares the delays with those of the real client.
    """

    first_seconds: float = 1.0
    most_seconds: float = 5.0
    jitter: float = 0.5

    def delay(self, attempt: int, chance: random.Random) -> float:
        """Returns the seconds to wait before `attempt`; the first attempt is 0.

        `chance` gives the random numbers for the jitter. The jitter is applied first, and then the delay is limited to
        `most_seconds`. So with the default values, all clients wait `most_seconds` from the fifth attempt on, and the
        jitter has no effect then.
        """
        delay: float = self.first_seconds * 2.0**attempt
        if self.jitter:
            drawn = chance.random()
            # the client draws one number: its first decimal decides between earlier and later
            sign = 1 if int(drawn * 10) % 2 else -1
            delay += sign * drawn * self.jitter * delay
        return min(delay, self.most_seconds)
