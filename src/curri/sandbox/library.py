"""The library: list, get, edit and delete videos, and how many minutes they take."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from curri.sandbox.account import Account, checked_creator, name_of
from curri.sandbox.answers import BAD_REQUEST, Refusal, envelope
from curri.sandbox.clock import parse_stamp
from curri.sandbox.form import json_object
from curri.sandbox.metadata import (
    checked_deletion,
    checked_duration,
    checked_moment,
    checked_origins,
    checked_share,
)
from curri.sandbox.store import VISIBLE, Query
from curri.sandbox.video import STATES, Video

LARGEST_PAGE = 1000


def listing(params: QueryParams) -> Query:
    """The videos that the parameters of a listing choose, but for its cursors. Refuses with 400 what makes no sense."""
    query = VISIBLE
    if status := params.get("status"):
        states = status.split(",")
        if unknown := [state for state in states if state not in STATES]:
            raise Refusal(400, BAD_REQUEST, f"status is unknown: {unknown[0]}")
        query = query.in_("phase", [phase for state in states for phase in STATES[state]])
    for parameter, column in (("creator", "creator"), ("video_name", "name")):
        if parameter in params:
            query = query.and_(f"{column} = ?", params[parameter])
    if "search" in params:
        query = query.and_("word_part(?, name)", params["search"])
    if "id" in params:
        query = query.in_("uid", params["id"].split(","))
    if "name" in params:
        wanted = json.dumps(params["name"].split(","))
        either = "(uid IN (SELECT value FROM json_each(?)) OR name IN (SELECT value FROM json_each(?)))"
        query = query.and_(either, wanted, wanted)
    if (kind := params.get("type", "vod")) not in ("vod", "live"):
        raise Refusal(400, BAD_REQUEST, f"type is vod or live, not {kind}")
    if kind == "live" or params.get("live_input_id"):
        query = query.and_("0")  # there is no live video here
    return query


def cursors(query: Query, params: QueryParams) -> Query:
    """The same, created at `start` or later and before `end`."""
    for names, comparison in ((("start", "after"), ">="), (("end", "before"), "<")):
        for name in names:
            if params.get(name):
                try:
                    query = query.and_(f"created {comparison} ?", parse_stamp(params[name]))
                except ValueError as error:
                    raise Refusal(400, BAD_REQUEST, f"{name} must be an RFC 3339 time") from error
    return query


def _flag(params: QueryParams, name: str) -> bool:
    value = params.get(name, "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise Refusal(400, BAD_REQUEST, f"{name} is true or false")
    return value in ("true", "1")


class Library:
    """The routes of stored videos."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def list(self, request: Request) -> Response:
        """One page, newest first unless asked otherwise."""
        params = request.query_params
        limit = params.get("limit", str(LARGEST_PAGE))
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= LARGEST_PAGE:
            raise Refusal(400, BAD_REQUEST, f"limit must be an integer from 1 to {LARGEST_PAGE}")
        await self._account.processing.settle()
        store = self._account.store
        chosen = listing(params)
        page = cursors(chosen, params)
        videos = store.select(page, ascending=_flag(params, "asc"), limit=int(limit))
        counts: dict[str, Any] = {}
        if _flag(params, "include_counts"):
            counts = {"total": store.count(chosen), "range": store.count(page)}
            if self._account.settings.counts_as_strings:
                counts = {key: str(value) for key, value in counts.items()}
        return envelope([self._account.show(video) for video in videos], **counts)

    async def get(self, request: Request) -> Response:
        """One video."""
        return envelope(self._account.show(await self._account.requested(request)))

    async def edit(self, request: Request) -> Response:
        """Changes what the body names, and ignores what it does not know; `meta` is replaced as a whole."""
        given = await json_object(request)
        video = await self._account.requested(request)
        if given.get("uid", video.uid) != video.uid:
            raise Refusal(400, BAD_REQUEST, "uid does not match the video")
        changes = self._changes(video, given)
        changes["modified"] = self._account.clock.now()
        self._account.store.update(video.uid, **changes)
        return envelope(self._account.show(self._account.video(video.uid)))

    async def delete(self, request: Request) -> Response:
        """Deletes a video for good, its upload too if that is still under way."""
        video = await self._account.requested(request)
        self._account.store.delete(video.uid)
        return Response(status_code=200) if self._account.settings.empty_delete else envelope({})

    async def usage(self, request: Request) -> Response:
        """Minutes stored and allowed."""
        await self._account.processing.settle()
        store, settings = self._account.store, self._account.settings
        creator = request.query_params.get("creator")
        where = VISIBLE if creator is None else VISIBLE.and_("creator = ?", creator)
        minutes = store.stored_minutes(where)
        if settings.usage_includes_reservations:
            minutes += store.reserved_minutes(where)
        result: dict[str, Any] = {
            "totalStorageMinutes": round(minutes, 4),
            "totalStorageMinutesLimit": settings.quota_minutes,
            "videoCount": store.count(where),
        }
        return envelope(result if creator is None else {**result, "creator": creator})

    def _changes(self, video: Video, given: dict[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if "meta" in given:
            meta = given["meta"]
            if not isinstance(meta, dict):
                raise Refusal(400, BAD_REQUEST, "meta must be an object")
            if self._account.settings.edit_merges_meta:
                meta = {**video.meta, **meta}
            changes |= {"meta": meta, "name": name_of(meta)}
        if "creator" in given:
            changes["creator"] = checked_creator(given["creator"])
        if "allowedOrigins" in given:
            changes["allowed_origins"] = checked_origins(given["allowedOrigins"] or [])
        if "requireSignedURLs" in given:
            if not isinstance(given["requireSignedURLs"], bool):
                raise Refusal(400, BAD_REQUEST, "requireSignedURLs must be true or false")
            changes["require_signed"] = given["requireSignedURLs"]
        if "thumbnailTimestampPct" in given:
            changes["thumbnail_pct"] = checked_share(given["thumbnailTimestampPct"])
        if "publicDetails" in given:
            changes["public_details"] = given["publicDetails"]
        if "scheduledDeletion" in given:
            moment = given["scheduledDeletion"]
            now = self._account.clock.now()
            changes["scheduled_deletion"] = None if moment is None else checked_deletion(moment, now)
            if video.phase in ("complete", "error"):
                changes["next_change"] = changes["scheduled_deletion"]
        return changes | self._upload_changes(video, given)

    @staticmethod
    def _upload_changes(video: Video, given: dict[str, Any]) -> dict[str, Any]:
        """What can be changed only until the bytes are there; later it is ignored."""
        changes: dict[str, Any] = {}
        if video.phase != "pending":
            return changes
        if given.get("maxDurationSeconds") is not None:
            seconds = checked_duration(given["maxDurationSeconds"])
            changes |= {"max_duration": seconds, "reserved": seconds}
        if given.get("uploadExpiry") is not None:
            moment = checked_moment(given["uploadExpiry"], "uploadExpiry")
            changes |= {"expires": moment, "next_change": moment}
        return changes
