"""The servers of these tests have the real product."""

import pytest

from ... import app


@pytest.fixture
def create_app():
    return app.create_app
