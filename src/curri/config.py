"""Settings: flags before environment, before `.env`, before `curri.toml`, before defaults; read once, then frozen."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from curri.errors import ConfigError, UsageError
from curri.plan.text import printable

CONFIG_FILE = "curri.toml"
LONGEST_TOKEN = 10_000
"""Characters of the file with the token that are read. Tokens have 40, or some 50 more of late."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _bytes(value: object) -> object:
    """Return a size such as `10M` in bytes; units are binary, as rclone's are: 10M is 10,485,760."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("a size is a number with K, M, G or T behind it, such as 10M")
    size = float(match[1]) * _UNITS[match[2].upper()]
    if not math.isfinite(size):
        raise ValueError("it is larger than anything")
    return int(size)


Size = Annotated[int, BeforeValidator(_bytes)]


def _http(value: SecretStr) -> SecretStr:
    """Refuse what is no address of http or https. Its message never holds the value, which is a secret."""
    address = value.get_secret_value()
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        usable = False
    if not usable or not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError("it must be an address that begins with https:// or http://")
    return value


def _place(value: Path) -> Path:
    """Refuse what no system takes for a path; a folder that is not there is not looked for here."""
    if "\0" in str(value):
        raise ValueError("a path holds no NUL")
    try:
        value.expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such user") from error
    return value


Place = Annotated[Path, AfterValidator(_place)]
PingUrl = Annotated[SecretStr, AfterValidator(_http)]


class Settings(BaseModel):
    """Everything that can be set. Each field is `<field>` in curri.toml; see `variables` for the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: object) -> object:
        if isinstance(value, bool):  # a number, for Python
            raise ValueError("it must not be true or false")  # noqa: TRY004 - pydantic tells of a ValueError
        return value

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL 14 or newer: postgresql://USER:PASSWORD@HOST:5432/NAME. Unset: the embedded server",
    )
    home: Place = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("curri", appauthor=False)),
        description="Folder for local state: the embedded server, encoded videos",
    )
    ffmpeg: Place | None = Field(
        default=None, description="The ffmpeg to use. Unset: the one on PATH, else that of the extra `embedded`"
    )
    managed_by: str = Field(default="", description="Who looks after the videos; `managedBy` on Stream")
    program: str = Field(default="", description="The programme the courses belong to; `program` on Stream")
    cloudflare_account_id: str | None = Field(default=None, description="The account that holds the videos")
    cloudflare_api_token: SecretStr | None = Field(
        default=None, description="An API token with the permission Account > Stream > Edit"
    )
    cloudflare_api_token_file: Place | None = Field(
        default=None, description="A file that holds the token; read if the token itself is not set"
    )
    stream_url: str | None = Field(default=None, description="The base of the API. Unset: Cloudflare's own")
    transfers: int = Field(default=4, ge=1, le=32, description="Videos sent at the same time")
    encoders: int = Field(default=1, ge=1, le=32, description="Videos encoded at the same time")
    bwlimit: Size | None = Field(
        default=None, ge=1024, description="Bytes per second for all transfers together, such as 10M. Unset: no limit"
    )
    chunk_size: Size = Field(
        default=52_428_800,
        description="Bytes sent in one request: 5M to 200M in steps of 256K. Smaller ones for poor connections",
    )
    cache_size: Size = Field(default=20_000_000_000, ge=0, description="Bytes that encoded videos may take on disk")
    listing_delay: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Seconds after which an upload is sure to show in Stream's listing; Cloudflare documents none",
    )
    ping_url: PingUrl | None = Field(
        default=None,
        description="An address that is called at the end of a run: itself on success, with /fail behind it on failure;"
        " {command} in it stands for the command",
    )
    metrics: Place | None = Field(
        default=None,
        description="A file for Prometheus, written at the end of a run; of a folder, curri-<command>.prom in it",
    )


ALIASES: Mapping[str, tuple[str, ...]] = {
    "database_url": ("CURRI_DATABASE_URL", "DATABASE_URL"),
    "cloudflare_account_id": ("CLOUDFLARE_ACCOUNT_ID",),
    "cloudflare_api_token": ("CLOUDFLARE_API_TOKEN",),
    "cloudflare_api_token_file": ("CLOUDFLARE_API_TOKEN_FILE",),
}
"""Settings whose variables are not just CURRI_ and the name; the first that is set counts."""

OF_CURRICULUM = ("managed_by", "program")
"""Settings that a curriculum may have in its own curri.toml, with every command: see `of_curriculum`."""


def variables(name: str) -> tuple[str, ...]:
    """Return the variables that give a setting, the first that is set counts."""
    return ALIASES.get(name, (f"CURRI_{name.upper()}",))


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as `curri config` shows it."""

    name: str
    variable: str
    value: str  # masked if it is a secret
    origin: str  # flag, environment, .env, the path of a curri.toml, or default
    description: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each came from."""

    settings: Settings
    origins: Mapping[str, str]

    def where(self, name: str) -> str:
        """Return where a setting was given, for messages."""
        return _where(name, self.origins[name])

    def shown(self) -> list[Shown]:
        """Return every setting with its origin, secrets masked."""
        return [
            Shown(
                name,
                variables(name)[0],
                _show(getattr(self.settings, name)),
                self.origins[name],
                field.description or "",
            )
            for name, field in Settings.model_fields.items()
        ]


def load(
    flags: Mapping[str, Any], *, file: Path | None, root: Path | None = None, env_file: Collection[str] = ()
) -> Loaded:
    """Read all sources. `file` is what `--config` names; `root` the curriculum folder, whose curri.toml counts.

    Without either, a curri.toml in the working folder counts. `env_file` names the variables of the environment that
    came from `.env`. Raises ConfigError, naming source and setting; UsageError, if it was a flag.
    """
    toml = _config_file(file, root)
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("flag", _given(flags)),
        *_environment(env_file),
        (str(toml), _read_toml(toml) if toml else {}),
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in layers:
        for name, value in layer.items():
            if name not in values:
                values[name] = value
                origins[name] = origin
    settings = _validated(values, origins)
    try:
        home = Path(os.path.abspath(settings.home.expanduser()))  # noqa: PTH100 - resolve() would look for it
    except FileNotFoundError:
        where = _where("home", origins["home"])
        raise ConfigError(
            "the working folder is gone", where=where, hint="change to another, or name it from /"
        ) from None
    return Loaded(settings.model_copy(update={"home": home}), origins)


def salvage(names: Collection[str], flags: Mapping[str, Any], *, file: Path | None, root: Path | None) -> Settings:
    """Return what can be had of some settings where `load` failed: who is told of failures must hear of this one too.

    A source that cannot be read, and a value that is not usable, counts as not set. Never raises.
    """
    layers: list[Mapping[str, Any]] = [_given(flags), *(layer for _, layer in _environment(()))]
    with suppress(ConfigError):
        toml = _config_file(file, root)
        layers.append(_read_toml(toml) if toml else {})
    found: dict[str, Any] = {}
    for layer in layers:
        for name in set(names) & layer.keys() - found.keys():
            with suppress(ValidationError):
                Settings.model_validate({name: layer[name]})
                found[name] = layer[name]
    return Settings.model_validate(found)


def of_curriculum(loaded: Loaded, root: Path, name: str) -> Any:
    """Return a setting that the curriculum in `root` may have in its own curri.toml; anything set elsewhere wins.

    For commands that learn from the catalog which curricula they are about. Raises ConfigError if the file is there
    and cannot be read, or what it says is not usable.
    """
    file = root / CONFIG_FILE
    if loaded.origins[name] == "default" and _is_file(file):
        values = _read_toml(file)
        if name in values:
            return getattr(_validated({name: values[name]}, {name: str(file)}), name)
    return getattr(loaded.settings, name)


def token(settings: Settings) -> str | None:
    """Return the API token: itself, else from its file; None if neither is set. Raises ConfigError."""
    if settings.cloudflare_api_token is not None:
        return settings.cloudflare_api_token.get_secret_value()
    path = settings.cloudflare_api_token_file
    if path is None:
        return None
    hint = "CLOUDFLARE_API_TOKEN_FILE names a file that holds the token and nothing else"
    try:
        with path.expanduser().open(encoding="utf-8-sig") as file:
            words = file.read(LONGEST_TOKEN).split()  # of /dev/zero there is no end
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise ConfigError(f"the file with the API token cannot be read: {reason}", where=str(path), hint=hint) from None
    if len(words) != 1:
        found = "holds more than a token" if words else "is empty"
        if words and words[0].lower().rstrip(":") in ("bearer", "authorization"):
            found = "begins with `Bearer`: only what stands behind it is the token"
        raise ConfigError(f"the file with the API token {found}", where=str(path), hint=hint)
    return words[0]


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        origin = origins.get(name, "settings")
        if origin == "flag":
            raise UsageError(f"--{name.replace('_', '-')} is not usable: {_told(name, first)}") from None
        # The cause would repeat the value, which may be a secret.
        raise ConfigError(f"{name} is not usable: {_told(name, first)}", where=_where(name, origin)) from None


def _where(name: str, origin: str) -> str:
    """Return where a setting was given: the flag, the variable, or the file."""
    if origin == "flag":
        return f"--{name.replace('_', '-')}"
    if origin in ("environment", ".env", "default"):
        variable = next((each for each in variables(name) if os.environ.get(each)), variables(name)[0])
        return f"{origin} ({variable})"
    return origin


def _told(name: str, error: Any) -> str:
    """Return what a value must be, in plain words."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    field = Settings.model_fields.get(name)
    bounds: dict[str, Any] = {}
    for rule in field.metadata if field is not None else ():
        bounds |= {bound: getattr(rule, bound) for bound in ("ge", "le") if hasattr(rule, bound)}
    if "le" in bounds:
        return f"it must be {bounds['ge']} to {bounds['le']}"
    if "ge" in bounds:
        return f"it must be {bounds['ge']} or more"
    if error["type"] in ("string_type", "path_type", "secret_type"):
        return "it must be a text, in quotes"
    return "it must be a number or a size such as 10M" if field and field.annotation is int else str(error["msg"])


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _config_file(file: Path | None, root: Path | None) -> Path | None:
    if file is not None:
        with suppress(RuntimeError):  # there is no such user, and so no such file
            file = file.expanduser()
        if not _is_file(file):
            what = "is a folder" if file.is_dir() else "does not exist"
            raise ConfigError(f"the configuration file {what}", where=str(file), hint="check --config")
        return file
    for folder in (root, Path()):
        if folder is not None and _is_file(folder / CONFIG_FILE):
            return folder / CONFIG_FILE
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a folder on the way that may not be entered, a name that is too long
        message = f"the configuration file cannot be read: {error.strerror}"
        raise ConfigError(message, where=str(path), hint="check --config") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # not all that tomllib raises is a TOMLDecodeError
        raise ConfigError(f"the configuration file cannot be read: {error}", where=str(path)) from error
    for name in values:
        if name not in Settings.model_fields:
            raise ConfigError(
                f"unknown setting {name!r}",
                where=str(path),
                hint=f"{_meant(name, values[name])}`curri config` lists all settings",
            )
    return values


def _meant(name: str, value: object) -> str:
    """Return what an unknown key of curri.toml stands for, as far as it can be told."""
    if isinstance(value, dict) and (value.keys() & Settings.model_fields.keys() or name in ("curri", "tool")):
        return f"settings stand in no table: leave out [{printable(name)}]; "
    given = {variable: each for each in Settings.model_fields for variable in variables(each)}
    near = difflib.get_close_matches(name.lower(), Settings.model_fields, n=1)
    found = given.get(name.upper()) or (near[0] if near else None)
    return f"did you mean {found}? " if found else ""


def _environment(env_file: Collection[str]) -> list[tuple[str, dict[str, str]]]:
    """Return what the environment sets, one layer for each variable. A variable without a value counts as not set."""
    return [
        (".env" if variable in env_file else "environment", {name: value})
        for name in Settings.model_fields
        for variable in variables(name)
        if (value := os.environ.get(variable))
    ]


def _show(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return "" if value is None else str(value)
