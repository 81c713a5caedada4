"""What a file is, told from its place alone: course, lesson, kind, component, sidecar. Pure: nothing is opened."""

from __future__ import annotations

import mimetypes
import os
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from curri.model import ComponentType, FoundAsset, FoundComponent, Role
from curri.plan.text import folded, natural, slug

VIDEO_EXTENSIONS = frozenset(
    ("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mxf", "flv", "3gp", "wmv")
)
"""What is taken for a video."""

CAPTION_EXTENSIONS = frozenset(("vtt", "srt"))
POSTER_EXTENSIONS = frozenset(("jpg", "jpeg", "png", "webp"))
TRANSCRIPT_EXTENSIONS = frozenset(("txt", "md"))
RENDITION_SUFFIX = "_compressed"

COURSE_KIND = "course"
PREVIEW_KIND = "preview"

# Nine digits (a date has eight) are the most that always fit PostgreSQL's integer; zeros before them do not count.
_FOLDER = re.compile(r"(course|lesson)_(0*[0-9]{1,9})(?:[_-].*)?", re.IGNORECASE | re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")  # the shape of a BCP 47 tag
_LAB = re.compile(r"lab(?:[_-].*)?", re.IGNORECASE | re.DOTALL)

_TYPES = mimetypes.MimeTypes()  # Python's own table: the one of the machine would give other types elsewhere
_MORE_TYPES = {  # what Python's table lacks, and what it has only in some versions or has changed since 3.11
    "3gp": "video/3gpp",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "flv": "video/x-flv",
    "ipynb": "application/x-ipynb+json",
    "js": "text/javascript",
    "m4v": "video/x-m4v",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mkv": "video/x-matroska",
    "mxf": "application/mxf",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "parquet": "application/vnd.apache.parquet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rst": "text/x-rst",
    "rtf": "text/rtf",
    "srt": "application/x-subrip",
    "toml": "application/toml",
    "ts": "video/mp2t",
    "vtt": "text/vtt",
    "webm": "video/webm",
    "webp": "image/webp",
    "wmv": "video/x-ms-wmv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}


class Entry(NamedTuple):
    """A regular file as listed, with its stat (see `fingerprint`)."""

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def fingerprint(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return size, modification time, change time (both in ns) and inode as signed 64-bit numbers.

    Some file systems give inodes, and damaged ones give times, that do not fit PostgreSQL's bigint: those keep their
    64 lowest bits, which is all that a comparison needs.
    """
    values = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if 0 <= values[0] | values[1] | values[2] | values[3] <= _MAX:  # one test for four: no bit above the 63rd
        return values
    size, mtime, ctime, inode = ((value + _MAX + 1) % (2 * _MAX + 2) - _MAX - 1 for value in values)
    return size, mtime, ctime, inode


_MAX = 2**63 - 1


class Directory(NamedTuple):
    """A folder that was read. `path` is relative to the lesson (or course) folder, "" for that folder itself."""

    path: str
    files: tuple[Entry, ...]


def course_number(name: str) -> str | None:
    """Return the number ("01") of a course folder, or None if `name` is not that of one."""
    return _number("course", name)


def lesson_number(name: str) -> str | None:
    """Return the number ("01") of a lesson folder, or None if `name` is not that of one."""
    return _number("lesson", name)


def _number(what: str, name: str) -> str | None:
    match = _FOLDER.fullmatch(name)
    if match is None or match[1].lower() != what:
        return None
    return f"{int(match[2]):02d}"


def split(name: str) -> tuple[str, str]:
    """Return the stem and the extension (lower case, without the dot) of a file name."""
    stem, dot, extension = name.rpartition(".")
    return (stem, extension.lower()) if dot and stem else (name, "")


def mime_type(extension: str) -> str:
    """Return the media type for an extension; the same on every machine."""
    known = _KNOWN_TYPES.get(extension)
    if known is None:
        known = _MORE_TYPES.get(extension) or _TYPES.guess_type(f"x.{extension}")[0] or "application/octet-stream"
        _KNOWN_TYPES[extension] = known
    return known


_KNOWN_TYPES: dict[str, str] = {}


class _Group(NamedTuple):
    type: ComponentType
    kind: str
    name: str
    group_key: str


def lesson_components(directories: Sequence[Directory]) -> tuple[FoundComponent, ...]:
    """Sort the files of a lesson into components: videos with their sidecars, labs, and resources by kind."""
    groups: dict[_Group, list[FoundAsset]] = defaultdict(list)
    for directory in directories:
        _sort_directory(directory, groups)
    _join_namesakes(groups)
    return _in_order(groups)


def course_components(directory: Directory) -> tuple[FoundComponent, ...]:
    """Sort the files directly in a course folder: the preview video with its sidecars, and the rest."""
    groups: dict[_Group, list[FoundAsset]] = defaultdict(list)
    rest = _Group(ComponentType.RESOURCE, COURSE_KIND, COURSE_KIND, COURSE_KIND)
    previews = [entry for entry in directory.files if _is_preview(entry.name)]
    owners, roles = _videos(previews)
    for entry in directory.files:
        stem, extension = split(entry.name)
        owner = owners.get(entry.name)
        role = roles.get(entry.name, Role.FILE)
        if owner is None:
            owner, role = _sidecar(stem, extension, _by_stem(owners)) or (None, Role.FILE)
        group = rest if owner is None else _Group(ComponentType.VIDEO, PREVIEW_KIND, split(owner)[0], owner)
        groups[group].append(_asset(entry.name, role, extension, entry))
    return _in_order(groups)


def _is_preview(name: str) -> bool:
    stem, extension = split(name)
    return extension in VIDEO_EXTENSIONS and folded(stem).casefold() in (
        PREVIEW_KIND,
        PREVIEW_KIND + RENDITION_SUFFIX,
    )


def _sort_directory(directory: Directory, groups: dict[_Group, list[FoundAsset]]) -> None:
    parts = directory.path.split("/") if directory.path else []
    lab = _lab_folder(parts)
    prefix = directory.path + "/" if parts else ""
    kind = folded(parts[0]) if parts else ""
    if lab is not None:
        rest = _Group(ComponentType.LAB, kind, folded(lab.rpartition("/")[2]), lab)
    else:
        rest = _Group(ComponentType.RESOURCE, kind, kind, kind)
    named = [(entry, *split(entry.name)) for entry in directory.files]
    videos = [entry for entry, _, extension in named if extension in VIDEO_EXTENSIONS]
    if parts and not videos:  # most folders: nothing here accompanies anything
        file = Role.FILE
        groups[rest].extend(
            [FoundAsset(prefix + entry[0], file, mime_type(extension), *entry[1:]) for entry, _, extension in named]
        )
        return
    owners, roles = _videos(videos)
    stems = _by_stem(owners)
    for entry, stem, extension in named:
        owner = owners.get(entry.name)
        role = roles.get(entry.name, Role.FILE)
        if owner is None:
            owner, role = _sidecar(stem, extension, stems) or (None, Role.FILE)
        if owner is not None:
            name = split(owner)[0]
            group = _Group(ComponentType.VIDEO, kind or slug(name), name, prefix + owner)
        elif parts:
            group = rest
        else:
            own = slug(stem)
            group = _Group(ComponentType.RESOURCE, own, own, own)
        groups[group].append(_asset(prefix + entry.name, role, extension, entry))


def _asset(path: str, role: Role, extension: str, entry: Entry) -> FoundAsset:
    return FoundAsset(path, role, mime_type(extension), *entry[1:])


def _lab_folder(parts: list[str]) -> str | None:
    """Return the outermost lab folder on the way to a file: `lab`, `lab_*`, `lab-*`, or a folder below `labs`."""
    for depth, part in enumerate(parts):
        if _LAB.fullmatch(part) or (depth and parts[depth - 1].casefold() == "labs"):
            return "/".join(parts[: depth + 1])
    return None


def _videos(entries: Sequence[Entry]) -> tuple[dict[str, str], dict[str, Role]]:
    """Return for each video of a folder whose component it belongs to (a file name), and its role there."""
    originals: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: natural(entry.name)):
        stem, _ = split(entry.name)
        originals[folded(stem)].append(entry.name)
    owners: dict[str, str] = {}
    roles: dict[str, Role] = {}
    for entry in entries:
        stem, extension = split(entry.name)
        original = _original(folded(stem), originals)
        if original is not None:
            same = [name for name in originals[original] if split(name)[1] == extension]
            owners[entry.name] = (same or originals[original])[0]
            roles[entry.name] = Role.RENDITION
        else:
            owners[entry.name] = entry.name
            roles[entry.name] = Role.SOURCE
    return owners, roles


def _original(stem: str, stems: Collection[str]) -> str | None:
    """Return the stem of which `stem` is the rendition, or None if it is an original itself.

    An encode of an encode has no original of its own: it counts as a video like any other.
    """
    original = stem.removesuffix(RENDITION_SUFFIX)
    if original == stem or original not in stems or _original(original, stems) is not None:
        return None
    return original


def _by_stem(owners: dict[str, str]) -> dict[str, str]:
    """Return stem -> component for finding sidecars; the first in natural order where two videos share a stem."""
    stems: dict[str, str] = {}
    for name in sorted(owners, key=natural):
        stems.setdefault(folded(split(name)[0]), owners[name])
    return stems


def _sidecar(stem: str, extension: str, stems: dict[str, str]) -> tuple[str, Role] | None:
    """Return the video that a file accompanies, and as what; None if it stands for itself."""
    if extension in CAPTION_EXTENSIONS:
        owner = stems.get(folded(stem))
        if owner is None:
            bare, _, language = stem.rpartition(".")
            owner = stems.get(folded(bare)) if _LANGUAGE.fullmatch(language) else None
        return (owner, Role.CAPTIONS) if owner else None
    if extension in POSTER_EXTENSIONS or extension in TRANSCRIPT_EXTENSIONS:
        owner = stems.get(folded(stem))
        role = Role.POSTER if extension in POSTER_EXTENSIONS else Role.TRANSCRIPT
        return (owner, role) if owner else None
    return None


def _join_namesakes(groups: dict[_Group, list[FoundAsset]]) -> None:
    """Let resources join the lab or video that has their group key, for a lesson has only one component of a key.

    It is `lab.md` beside the folder `lab`; or a folder called like a video but for the Unicode form of the name.
    """
    taken = {group.group_key: group for group in groups if group.type is not ComponentType.RESOURCE}
    for group in [group for group in groups if group.type is ComponentType.RESOURCE and group.group_key in taken]:
        groups[taken[group.group_key]].extend(groups.pop(group))


def _in_order(groups: dict[_Group, list[FoundAsset]]) -> tuple[FoundComponent, ...]:
    ordered = sorted(groups, key=lambda group: (natural(group.group_key), group))
    return tuple(
        FoundComponent(group.type, group.kind, group.name, group.group_key, position, tuple(groups[group]))
        for position, group in enumerate(ordered)
    )
