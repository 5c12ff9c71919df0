"""Gives orders to a server, as a back end does."""

import json

PUBLISH_TOKEN = "pT-6vXq2mZ8rL4sW9yK1nB7cD3fG5hJ0"
TAKES_ORDERS = {"publish_token": PUBLISH_TOKEN}


async def order(http, server, path, body, *, token=PUBLISH_TOKEN, **headers):
    """Send an order. Return the status and the JSON of the answer.

    `body` is a JSON value, or the bytes of a body.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with http.post(server.internal_url + path, data=data, headers=bearer | headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else text


async def ordered(http, server, path, **body):
    """Send an order that the server must accept."""
    answer = await order(http, server, path, body)
    assert answer == (200, {"ok": True, "data": {}})
