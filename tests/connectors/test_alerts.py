"""Messages arrive at a real HTTP receiver and a real mail server on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from agreement.errors import BadInput, VendorUnavailable
from connectors.alerts import deliver

TEXT = "Handoffs for owner 005: 1 missed\n- MISSED: lead 00Q\n(message k1)"


@pytest.fixture
def receiver():
    """Serve HTTP that keeps what it is posted, and answers as it is told."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.headers["Idempotency-Key"], body))
            self.send_response(server.answer)
            self.end_headers()

        def log_message(self, *arguments):
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.got = 204, got
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def mail():
    """Serve SMTP that keeps what it takes."""

    class Box:
        def __init__(self):
            self.got = []

        async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
            self.got.append(envelope)
            return "250 OK"

    box = Box()
    controller = Controller(box, hostname="127.0.0.1", port=0)
    controller.port = _free_port()
    controller.start()
    box.port = controller.port
    yield box
    controller.stop()


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def address(server) -> SecretStr:
    return SecretStr(f"http://127.0.0.1:{server.server_address[1]}/hook")


def test_a_webhook_gets_text_and_key(receiver):
    deliver("chat", "k1", TEXT, [address(receiver)])
    assert receiver.got == [("k1", {"text": TEXT, "key": "k1"})]


def test_a_receiver_that_refuses_is_worth_another_try(receiver):
    receiver.answer = 503
    with pytest.raises(VendorUnavailable, match="503"):
        deliver("chat", "k1", TEXT, [address(receiver)])


def test_a_receiver_that_is_gone_is_worth_another_try():
    with pytest.raises(VendorUnavailable, match="ConnectionError"):
        deliver("chat", "k1", TEXT, [SecretStr(f"http://127.0.0.1:{_free_port()}/")])


def test_a_mail_has_the_first_line_as_its_subject_and_ends_with_the_key(mail):
    url = f"mailto://127.0.0.1:{mail.port}?from=tandem@example.com&to=ops@example.com&mode=insecure"
    deliver("mail", "k1", TEXT, [SecretStr(url)])
    (envelope,) = mail.got
    content = envelope.content.decode()
    assert "Subject: Handoffs for owner 005: 1 missed" in content
    assert "(message k1)" in content


def test_a_mail_server_that_is_gone_is_worth_another_try():
    url = f"mailto://127.0.0.1:{_free_port()}?from=a@example.com&to=b@example.com&mode=insecure"
    with pytest.raises(VendorUnavailable):
        deliver("mail", "k1", TEXT, [SecretStr(url)])


def test_a_route_without_an_address_names_the_setting():
    with pytest.raises(BadInput, match="TANDEM_ALERT_CHAT"):
        deliver("chat", "k1", TEXT, [])


def test_an_address_that_nobody_understands_is_not_shown():
    with pytest.raises(BadInput) as caught:
        deliver("chat", "k1", TEXT, [SecretStr("nonsense-s3cret")])
    assert "s3cret" not in str(caught.value)


def test_the_terminal_shows_the_text(capsys):
    deliver("terminal", "k1", TEXT, [])
    assert TEXT in capsys.readouterr().err
