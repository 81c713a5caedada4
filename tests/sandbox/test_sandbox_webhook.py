"""The webhook: its settings, and deliveries that a receiver can trust."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from curri.sandbox import Timings

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox


class Receiver:
    """Takes deliveries."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.headers["Webhook-Signature"], body))
                receiver.arrived.set()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.arrived = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?site=1"

    def videos(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def _put(client: Client, url: str) -> str:
    return str(client.result(client.http.put("/stream/webhook", json={"notificationUrl": url}))["secret"])


def test_a_webhook_is_put_shown_and_deleted(client: Client) -> None:
    assert client.http.get("/stream/webhook").status_code == 404
    secret = _put(client, "http://127.0.0.1:9/hook")
    shown = client.result(client.http.get("/stream/webhook"))
    assert (shown["notificationUrl"], shown["secret"], len(secret)) == ("http://127.0.0.1:9/hook", secret, 32)
    assert _put(client, "http://127.0.0.1:9/hook") == secret
    assert _put(client, "http://127.0.0.1:9/other") != secret
    assert client.result(client.http.delete("/stream/webhook")) == ""
    assert client.http.get("/stream/webhook").status_code == 404


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org", 7, None])
def test_a_webhook_that_is_no_web_address_is_refused(client: Client, url: object) -> None:
    assert client.http.put("/stream/webhook", json={"notificationUrl": url}).status_code == 400


def test_ready_and_failed_videos_are_delivered_with_a_signature_that_fits(
    client: Client, clip: Clip, receiver: Receiver
) -> None:
    secret = _put(client, receiver.url)
    fine = client.upload(clip("2s.mp4"), name="fine")
    client.box.advance(60)
    failed = client.upload(b"no video")
    client.box.advance(60)
    assert [(video["uid"], video["status"]["state"]) for video in receiver.videos()] == [
        (fine, "ready"),
        (failed, "error"),
    ]
    for header, body in receiver.got:
        parts = dict(part.split("=") for part in header.split(","))
        expected = hmac.new(secret.encode(), f"{parts['time']}.".encode() + body, hashlib.sha256).hexdigest()
        assert parts["sig1"] == expected
    deliveries = client.control("GET", "deliveries").json()["deliveries"]
    assert [(delivery["uid"], delivery["status"]) for delivery in deliveries] == [(fine, 200), (failed, 200)]


def test_a_running_clock_delivers_though_nobody_asks(open_box: OpenBox, clip: Clip, receiver: Receiver) -> None:
    client = open_box(frozen_clock=False, timings=Timings.lasting(0.05))
    _put(client, receiver.url)
    uid = client.upload(clip("2s.mp4"))
    assert receiver.arrived.wait(10)
    assert [video["uid"] for video in receiver.videos()] == [uid]


def test_each_event_comes_several_times_by_a_setting(open_box: OpenBox, clip: Clip, receiver: Receiver) -> None:
    client = open_box(webhook_copies=3)
    _put(client, receiver.url)
    uid = client.upload(clip("2s.mp4"))
    client.box.advance(60)
    client.box.advance(60)
    assert [video["uid"] for video in receiver.videos()] == [uid] * 3


def test_a_receiver_that_is_not_there_harms_nothing(client: Client, clip: Clip, receiver: Receiver) -> None:
    _put(client, "http://127.0.0.1:1/hook")
    client.upload(clip("2s.mp4"))
    client.box.advance(60)
    (delivery,) = client.control("GET", "deliveries").json()["deliveries"]
    assert delivery["status"] is None
    client.http.delete("/stream/webhook")
    client.upload(clip("2s.mp4"))
    client.box.advance(60)
    assert len(client.control("GET", "deliveries").json()["deliveries"]) == 1
    assert receiver.got == []
