"""Build the servers of this folder's tests with the dispatch platform."""

import pytest

from ... import app


@pytest.fixture
def create_app():
    return app.create_app
