"""What the tests of sending share."""

from __future__ import annotations

from curri.stream import chunks
from curri.stream.artefact import Artefact
from curri.stream.client import Client
from curri.stream.tus import Created, Sent, Uploads

from .scripted import ScriptedServer, Upload

CHUNK = chunks.SMALLEST
MIB = 1_048_576
SIZE = 12 * MIB + 345  # three chunks of the smallest size, the last one short


def send(client: Client, created: Created, artefact: Artefact, chunk_size: int = CHUNK) -> Sent:
    """Send a file to an upload that was just created."""
    return Uploads(client).send(created.url, artefact, offset=0, chunk_size=chunk_size)


def arrived(server: ScriptedServer, created: Created) -> Upload:
    """What the server has of an upload."""
    return server.uploads[created.uid]


def assert_whole(server: ScriptedServer, created: Created, artefact: Artefact) -> None:
    """The server has every byte, in order, once."""
    upload = arrived(server, created)
    assert (upload.offset, upload.digest.hexdigest()) == (artefact.size, artefact.sha1)
