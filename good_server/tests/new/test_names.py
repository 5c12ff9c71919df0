"""Tests that `new` refuses wrong names and folders in one line."""

import pytest

from ...__main__ import main
from ...new import folder as writing

NAMES = {"--name": "shop_live", "--roles": "customer,courier,dispatcher", "--topic": "order"}


def create(capsys, folder, *more, **changes):
    """Run `new`, and return its exit code, stdout and stderr."""
    given = NAMES | {f"--{name}": value for name, value in changes.items()}
    options = [text for name, value in given.items() if value is not None for text in (name, value)]
    try:
        code = main(["new", str(folder), *options, *more])
    except SystemExit as ended:
        code = ended.code
    return (code, *capsys.readouterr())


WRONG = [
    ({"name": name}, reason)
    for name, reason in [
        ("", "a name is 1 to"),
        ("Realtime", "a name is 1 to"),
        ("real-time", "a name is 1 to"),
        ("1realtime", "a name is 1 to"),
        ("_realtime", "a name is 1 to"),
        ("a__b", "a name is 1 to"),
        ("a_", "a name is 1 to"),
        ("../outside", "a name is 1 to"),
        ("realtime\n", "a name is 1 to"),
        ("zoë", "a name is 1 to"),
        ("x" * 31, "a name is 1 to"),
        ("class", "keyword"),
        ("match", "keyword"),
        ("asyncio", "standard library"),
        ("socketio", "installed package"),
        ("aiohttp", "installed package"),
        ("tests", "reserved"),
    ]
]
WRONG += [
    ({"roles": roles}, reason)
    for roles, reason in [
        ("", "a name is 1 to"),
        ("customer", "2 to 32 roles"),
        ("customer,,courier", "a name is 1 to"),
        ("customer,Courier", "a name is 1 to"),
        ("customer,customer", "twice"),
        ("customer,import", "keyword"),
        (",".join(f"role{number}" for number in range(33)), "2 to 32 roles"),
    ]
]
WRONG += [
    ({"topic": topic}, reason)
    for topic, reason in [
        ("", "a name is 1 to"),
        ("Order", "a name is 1 to"),
        ("order:", "a name is 1 to"),
        ("while", "keyword"),
        ("user", "fills rooms"),
        ("role", "fills rooms"),
        ("company", "fills rooms"),
        ("courier", "a role has the same name"),
    ]
]
WRONG += [({name: None}, f"new needs --{name}") for name in ("name", "roles", "topic")]
WRONG += [({"license": "gpl"}, "--license"), ({"owner": " "}, "--owner"), ({"owner": "a\nb"}, "--owner")]


@pytest.mark.parametrize(("changes", "reason"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_name_is_refused_in_one_line(capsys, tmp_path, changes, reason):
    code, printed, errors = create(capsys, tmp_path / "new", **changes)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert reason in errors
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_folder_that_is_not_empty_is_refused(capsys, tmp_path, kind):
    place, full = tmp_path / "place", tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    make = {"file": place.touch, "folder": lambda: full.rename(place), "link": lambda: place.symlink_to(full)}
    make[kind]()
    code, printed, errors = create(capsys, place)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert "not empty" in errors
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["mine.txt"]


def test_a_folder_below_a_file_is_refused_in_one_line(capsys, tmp_path):
    (tmp_path / "file").touch()
    code, printed, errors = create(capsys, tmp_path / "file" / "new")
    assert (code, printed, errors.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_failed_write_leaves_nothing_behind(capsys, tmp_path, monkeypatch, is_there, failure):
    def fail(*arguments):
        raise failure

    # the manifest is written last
    monkeypatch.setattr(writing, "_manifest", fail)
    folder = tmp_path / "new"
    if is_there:
        folder.mkdir()
    code, printed, errors = create(capsys, folder)
    assert (code, printed) == (130 if failure is KeyboardInterrupt else 2, "")
    assert errors.count("\n") == (0 if failure is KeyboardInterrupt else 1)
    assert [path.name for path in tmp_path.rglob("*")] == (["new"] if is_there else [])


def test_a_wrong_setting_of_this_folder_does_not_matter(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SERVER_PORT", "no port")
    assert create(capsys, tmp_path / "new")[0] == 0
