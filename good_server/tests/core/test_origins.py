"""Tests of allowed origins, as written in the settings and in requests."""

import pytest

from ...settings import SettingsError, load_settings
from ..tokens import PRODUCTION
from ..wire import upgraded

OWN = "https://app.example"
# a written origin, and what browsers send
NORMALISED = {
    "https://app.example/": OWN,
    "https://app.example:443": OWN,
    "https://app.example:443/": OWN,
    "https://app.example:": OWN,
    "https://app.example:0443": OWN,
    "HTTPS://APP.example": OWN,
    " https://app.example ": OWN,
    "http://app.example:80": "http://app.example",
    "http://app.example:443": "http://app.example:443",
    "https://app.example:80": "https://app.example:80",
    "https://bücher.example": "https://xn--bcher-kva.example",
    "https://BÜCHER.example:443/": "https://xn--bcher-kva.example",
    "https://straße.example": "https://xn--strae-oqa.example",
    "https://☕.example": "https://xn--53h.example",
    "https://[0:0:0:0:0:0:0:1]:8443": "https://[::1]:8443",
    "capacitor://localhost": "capacitor://localhost",
    "https://my_app.example": "https://my_app.example",
}
# a written origin that no page has, and a word of the answer
REFUSED = {
    "app.example": "scheme",
    "app.example:8443": "scheme",
    "localhost:3000": "scheme",
    "//app.example": "scheme",
    "https:/app.example": "scheme",
    "https://app.example/chat": "path",
    "https://app.example//": "path",
    "https://app.example?x=1": "path",
    "https://app.example/#top": "path",
    "https://app.example\\": "path",
    "https://%61pp.example": "path",
    '"https://app.example"': "quotes",
    "'https://app.example'": "quotes",
    "https://app.example https://other.example": "commas",
    "https://app.example\nhttps://other.example": "commas",
    "https://app.example;https://other.example": "commas",
    "https:// app.example": "commas",
    "https://ana:secret@app.example": "password",
    "https://@app.example": "user",
    "https://*.app.example": "alone",
    "https://*": "alone",
    "*.app.example": "scheme",
    "wss://app.example": "https",
    "ws://app.example": "http",
    "file:///index.html": "null",
    "https://": "host",
    "https://app..example": "host",
    "https://.app.example": "host",
    "https://app\u200b.example": "host",
    "https://[::1": "host",
    "https://127.1": "host",
    "https://256.0.0.1": "host",
    "https://app.example:0": "port",
    "https://app.example:65536": "port",
    "https://app.example:-1": "port",
    "https://app.example:https": "port",
}


@pytest.mark.row(12)
@pytest.mark.parametrize("written", NORMALISED)
async def test_a_page_of_a_normalised_origin_may_connect(serve, http, monkeypatch, written):
    monkeypatch.setenv("SERVER_ALLOWED_ORIGINS", f"https://other.example,{written}")
    server = await serve(**PRODUCTION)
    assert (await upgraded(http, server, Origin=NORMALISED[written]))[0] == 101
    assert (await upgraded(http, server, Origin="https://evil.example"))[0] == 403
    assert server.settings.allowed_origins == ("https://other.example", NORMALISED[written])


@pytest.mark.parametrize("written", REFUSED)
def test_an_origin_that_no_page_has_stops_the_start(monkeypatch, written):
    monkeypatch.setenv("SERVER_ALLOWED_ORIGINS", f"https://other.example,{written}")
    for settings in (PRODUCTION, {}):
        with pytest.raises(SettingsError, match="SERVER_ALLOWED_ORIGINS: ") as error:
            load_settings(**settings)
        assert REFUSED[written] in str(error.value)
        assert "\n" not in str(error.value)
        assert "secret" not in str(error.value)


def test_two_spellings_of_one_origin_are_one():
    assert load_settings(allowed_origins="https://app.example/,https://APP.example:443").allowed_origins == (OWN,)


@pytest.mark.parametrize("written", ["*", "null", "NULL", "https://app.example,null", '["*"]'])
def test_production_refuses_origins_that_stand_for_many_pages(monkeypatch, written):
    monkeypatch.setenv("SERVER_ALLOWED_ORIGINS", written)
    with pytest.raises(SettingsError, match="SERVER_ALLOWED_ORIGINS must list origins"):
        load_settings(**PRODUCTION)
    assert load_settings().allowed_origins


LOOPBACK = [
    "http://localhost:3000",
    "https://localhost",
    "http://127.0.0.1:5173",
    "http://127.8.9.1",
    "http://[::1]:4200",
    "http://app.localhost:8080",
]
NOT_LOOPBACK = [
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://evillocalhost:3000",
    "http://localhost@evil.example",
    "http://192.168.1.7:3000",
    "http://localhost:3000/",
    "ftp://localhost",
    "null",
    "",
]


@pytest.mark.parametrize("listed", [(), (OWN,)])
async def test_development_allows_pages_of_this_machine(serve, http, listed):
    server = await serve(allowed_origins=listed)
    assert {origin: (await upgraded(http, server, Origin=origin))[0] for origin in LOOPBACK} == dict.fromkeys(
        LOOPBACK, 101
    )
    assert {origin: (await upgraded(http, server, Origin=origin))[0] for origin in NOT_LOOPBACK} == dict.fromkeys(
        NOT_LOOPBACK, 403
    )


@pytest.mark.row(12)
async def test_production_allows_no_page_of_this_machine_unasked(serve, http):
    server = await serve(**PRODUCTION, allowed_origins=(OWN, "http://localhost:3000"))
    answers = {origin: (await upgraded(http, server, Origin=origin))[0] for origin in LOOPBACK}
    assert answers == dict.fromkeys(LOOPBACK, 403) | {"http://localhost:3000": 101}


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("app.example", OWN, 101),
        ("app.example:443", OWN, 101),
        ("APP.example", OWN, 101),
        ("app.example:80", "http://app.example", 101),
        ("app.example:8443", "https://app.example:8443", 101),
        ("app.example:8443", OWN, 403),
        ("app.example:80", "http://app.example:443", 403),
        ("*", "https://evil.example", 403),
        ("app.example/", "https://evil.example", 403),
    ],
)
async def test_the_own_origin_is_compared_in_one_form(serve, http, host, origin, status):
    server = await serve(**PRODUCTION)
    assert (await upgraded(http, server, Host=host, Origin=origin))[0] == status
