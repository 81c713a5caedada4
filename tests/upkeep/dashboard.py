"""What others do on Stream: a person in the dashboard, an older script."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import psycopg

from curri.sandbox import Sandbox
from upload.site import Site


class Dashboard:
    """Works on a Stream beside curri."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def edit(self, uid: str, **keys: Any) -> None:
        """Set keys of a video's metadata; None takes one out."""
        meta = {key: value for key, value in (self.meta(uid) | keys).items() if value is not None}
        self._ask("POST", uid, {"meta": meta})

    def replace(self, uid: str, meta: dict[str, Any]) -> None:
        """Replace all metadata of a video."""
        self._ask("POST", uid, {"meta": meta})

    def delete(self, uid: str) -> None:
        """Delete a video."""
        self._ask("DELETE", uid)

    def meta(self, uid: str) -> dict[str, Any]:
        """Return the metadata of a video."""
        (found,) = (video for video in self._box.videos() if video.uid == uid)
        return dict(found.meta)

    def _ask(self, method: str, uid: str, body: object = None) -> None:
        address = f"{self._box.url}/accounts/{self._box.account_id}/stream/{uid}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._box.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            answer.read()


def planted(site: Site, count: int, *, state: str = "ready") -> list[str]:
    """Put videos on Stream, and into the catalog as the queued videos of so many components; returns their ids."""
    uids = [video.uid for video in site.box.plant(({"name": f"v{n}"} for n in range(count)), state=state)]
    with psycopg.connect(site.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO course (slug, number, title, position, root) VALUES ('course_09', '09', 'Nine', 9, '/nowhere')"
        )
        with cursor.copy("COPY video (provider_id, status, provider_created_at) FROM STDIN") as copy:
            for uid in uids:
                copy.write_row((uid, "queued", None))
        cursor.execute(
            "INSERT INTO component (course_id, type, kind, name, group_key, position)"
            " SELECT k.id, 'VIDEO', 'learning', v.provider_id, 'learning/' || v.provider_id || '.mp4', 1"
            "   FROM course k, video v WHERE k.slug = 'course_09' AND v.provider_id = ANY(%s)",
            [uids],
        )
        cursor.execute(
            "INSERT INTO component_video (component_id, provider_id, state, linked_at)"
            " SELECT c.id, c.name, 'current', now() FROM component c JOIN course k ON k.id = c.course_id"
            "  WHERE k.slug = 'course_09'"
        )
    return uids
