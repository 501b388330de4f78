"""Serving an app on loopback: real HTTP, closed cleanly."""

import pytest
import requests

from standins.server import serve


async def hello(scope, receive, send):
    headers = [(b"content-length", b"5"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


def test_an_app_is_served_on_loopback_while_the_block_runs():
    with serve(hello) as url:
        assert url.startswith("http://127.0.0.1:")
        assert requests.get(url, timeout=5).text == "hello"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)


def test_two_apps_have_two_ports():
    with serve(hello) as one, serve(hello) as other:
        assert one != other
        assert requests.get(one, timeout=5).text == requests.get(other, timeout=5).text


def test_a_connection_that_is_open_does_not_hold_up_the_end():
    with requests.Session() as session, serve(hello) as url:
        assert session.get(url, timeout=5).status_code == 200


def test_an_error_in_the_block_ends_the_server_too():
    address = ""
    try:
        with serve(hello) as address:
            raise ZeroDivisionError
    except ZeroDivisionError:
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=5)
