"""Creates tokens that stay valid while `lab live`'s page is open."""

from collections.abc import Sequence

from lab.servers.target import Target

# a page may stay open for a working day; the servers accept tokens of at most 24 hours
DAY_SECONDS = 20 * 3600


class DayTarget(Target):
    """Creates tokens that a server accepts for 20 hours.

    It also has the server's ports and namespace. The live page may stay open for a working day.
    """

    def token(
        self,
        user: str,
        role: str = "vendor",
        *,
        company: str | None = None,
        rooms: Sequence[str] = (),
        expires_in: int = DAY_SECONDS,
    ) -> str:
        """Return a JWT of `user` that expires in `expires_in` seconds."""
        return super().token(user, role, company=company, rooms=rooms, expires_in=expires_in)
