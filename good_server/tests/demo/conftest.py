"""Build the servers of these tests with the real product."""

import pytest

from ... import app


@pytest.fixture
def create_app():
    return app.create_app
