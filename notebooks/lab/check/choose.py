"""Chooses rules of the checker by id or by mistake number.

A rule is chosen by its id (such as `RM021`), by the beginning of its id, or by the number of the mistake that the rule
finds. The mistakes have the numbers 01 to 10.
"""

from collections.abc import Sequence

from lab.check.model import Rule
from lab.system.exit_codes import UsageError

SHORTEST_PREFIX = "RM"


def choose(rules: Sequence[Rule], select: str | None, ignore: str | None, *, accounts: bool) -> tuple[Rule, ...]:
    """Return the rules that remain after `--select`, `--ignore` and `--no-accounts`.

    `select` and `ignore` are words with commas between them: ids of rules, beginnings of ids, or numbers of mistakes
    (01 to 10). If `accounts` is False (`--no-accounts`), rules that only concern apps with user accounts are left out.
    Raises `UsageError` for a word that names no rule, and when no rule remains.
    """
    chosen = set(_named(rules, select, "--select")) if select is not None else {rule.id for rule in rules}
    if ignore is not None:
        chosen -= set(_named(rules, ignore, "--ignore"))
    left = tuple(rule for rule in rules if rule.id in chosen and (accounts or not rule.accounts))
    if not left:
        raise UsageError("--select, --ignore and --no-accounts leave no rule")
    return left


def rule_named(rules: Sequence[Rule], name: str) -> Rule:
    """Return the rule with the id `name`.

    Raises `UsageError` if no rule has this id.
    """
    for rule in rules:
        if rule.id == name.strip().upper():
            return rule
    raise UsageError(f"--explain: there is no rule {name!r}; there are {_ids(rules)}")


def _named(rules: Sequence[Rule], words: str, option: str) -> list[str]:
    found = []
    for word in words.split(","):
        matching = [rule.id for rule in rules if _names(word.strip().upper(), rule)]
        if not matching:
            raise UsageError(
                f"{option}: there is no rule {word.strip()!r}; there are {_ids(rules)}, "
                "the beginning of an id, such as RM02, and the mistakes 01 to 10"
            )
        found += matching
    return found


def _names(word: str, rule: Rule) -> bool:
    if word.isascii() and word.isdigit():
        return word.zfill(2) == rule.mistake
    return word.startswith(SHORTEST_PREFIX) and rule.id.startswith(word)


def _ids(rules: Sequence[Rule]) -> str:
    return ", ".join(rule.id for rule in rules)
