"""Property tests that no edit of a valid file breaks the checker."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.check.facts import Facts
from lab.check.result import Options
from lab.check.rules import all_rules
from lab.check.run import check

SUFFIX = {"node": ".js", "nest": ".ts", "python-socketio": ".py", "flask": ".py"}
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
PLAIN = Path(__file__).parent / "data" / "plain"
# what the texts of fixes look for in other files
LOGIN = """\
const jwt = require("jsonwebtoken");
const session = require("express-session");
const users = new Schema({ name: String, socketId: { type: String } });
const tokenOf = ({ user, payload }) => jwt.sign(payload, process.env.JWT_SECRET, { expiresIn: "1h" });
app.post("/login", (req, res) => res.json(tokenOf({ user: 1, payload: { userId: req.session.userId } })));
app.use((req, res, next) => {
  const { token } = req.cookies;
  for (const other of [token, req.cookies["token"]]) req.user = jwt.verify(other, process.env.JWT_SECRET);
  users.updateOne({ _id: req.user.userId }, { socketId: null }).then(([user]) => next(user.socketId));
});
"""
VALID = sorted(
    {(LOGIN, ".js"), (LOGIN, ".ts")}
    | {
        (text, SUFFIX[dialect])
        for rule in all_rules()
        for dialect, snippet in rule.snippets.items()
        for text in (snippet.bad, snippet.good)
    }
    | {(path.read_text("utf-8"), path.suffix) for path in PLAIN.iterdir() if path.suffix in {".js", ".py"}}
)
# text that is hard for a parser
ODD = ("(", "}", "`${", '"', "'''", "@", "=>", "...", "*", "await ", "\0", "\ufeff", "\u2028", "é", "#", "/*", "\\\n")
# names that the checker treats in a special way
NAMES = ("global", "globalThis", "this", "module", "exports", "require", "arguments", "super", "self", "io", "socket")
KINDS = ("delete", "insert", "duplicate", "swap", "truncate", "replace", "rename")


def edited(text, generator, kinds):
    """Return a text after some edits of its tokens or lines."""
    for kind in kinds:
        parts = TOKEN.findall(text) if generator.random() < 0.7 else text.splitlines(keepends=True)
        if not parts:
            return text
        first = generator.randrange(len(parts))
        last = min(len(parts), first + generator.choice((1, 1, 2, 5, 20)))
        other = generator.randrange(len(parts))
        match kind:
            case "delete":
                del parts[first:last]
            case "insert":
                parts.insert(first, generator.choice(ODD))
            case "duplicate":
                parts[other:other] = parts[first:last] * generator.choice((1, 2, 30))
            case "swap":
                parts[first], parts[other] = parts[other], parts[first]
            case "truncate":
                del parts[first:]
            case "replace":
                parts[first] = parts[other]
            case "rename":
                parts[first] = generator.choice(NAMES)
        text = "".join(parts)
    return text


def assert_is_checked(folder, texts):
    """Check files, and assert that no rule fails."""
    for number, (text, suffix) in enumerate(texts):
        (folder / f"file{number}{suffix}").write_text(text, "utf-8", newline="")
    result = check([folder], Options())
    assert list(result.failures) == []
    assert {path for path, _ in result.unreadable} <= {f"file{n}{suffix}" for n, (_, suffix) in enumerate(texts)}
    assert [reason for _, reason in result.unreadable if reason.startswith("the checker failed")] == []


BOUNDED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, chosen=st.integers(0, len(VALID) - 1), kinds=st.lists(st.sampled_from(KINDS), max_size=6))
@settings(BOUNDED, max_examples=60)
def test_an_edited_file_never_breaks_the_checker(tmp_path_factory, seed, chosen, kinds):
    text, suffix = VALID[chosen]
    folder = tmp_path_factory.mktemp("edited")
    assert_is_checked(folder, [(edited(text, random.Random(seed), kinds), suffix)])  # noqa: S311 - not for security


@given(
    seed=SEEDS, kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6), suffix=st.sampled_from([".js", ".ts"])
)
@settings(BOUNDED, max_examples=60)
def test_an_edited_login_never_breaks_a_fix(tmp_path_factory, seed, kinds, suffix):
    folder = tmp_path_factory.mktemp("login")
    assert_is_checked(folder, [(edited(LOGIN, random.Random(seed), kinds), suffix)])  # noqa: S311 - not for security


@given(seed=SEEDS, chosen=st.lists(st.integers(0, len(VALID) - 1), min_size=2, max_size=8))
@settings(BOUNDED, max_examples=15)
def test_edited_files_of_all_languages_are_checked_together(tmp_path_factory, seed, chosen):
    generator = random.Random(seed)  # noqa: S311 - not for security
    folder = tmp_path_factory.mktemp("together")
    kinds = generator.choices(KINDS, k=3)
    assert_is_checked(folder, [(edited(VALID[n][0], generator, kinds), VALID[n][1]) for n in chosen])


@pytest.mark.slow
@pytest.mark.timeout(300)
@given(seed=SEEDS, kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=20))
@settings(BOUNDED, max_examples=1_000)
def test_a_thousand_edits_never_break_the_checker(tmp_path_factory, seed, kinds):
    generator = random.Random(seed)  # noqa: S311 - not for security
    text, suffix = generator.choice(VALID)
    assert_is_checked(tmp_path_factory.mktemp("many"), [(edited(text, generator, kinds), suffix)])


@given(text=st.text(max_size=200), suffix=st.sampled_from([".js", ".jsx", ".mjs", ".ts", ".tsx", ".py"]))
@settings(BOUNDED, max_examples=40)
def test_any_text_is_checked(tmp_path_factory, text, suffix):
    # the words make the file one that is parsed
    folder = tmp_path_factory.mktemp("any")
    assert_is_checked(folder, [(f"{text}\nsocket\n", suffix)])


@pytest.mark.parametrize("number", range(0, len(VALID), len(VALID) // 12))
def test_each_beginning_of_a_file_is_checked(tmp_path, number):
    text, suffix = VALID[number]
    path = tmp_path / f"server{suffix}"
    for end in range(0, len(text), max(1, len(text) // 25)):
        path.write_text(text[:end], "utf-8")
        facts = Facts.of([tmp_path])
        for rule in all_rules():
            list(rule.find(facts))
