"""Build the servers of the tests in this folder with the dispatch platform."""

import pytest

from ... import app


@pytest.fixture
def create_app():
    return app.create_app
