"""What every command starts with: options, settings, an open catalog."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

import typer
from typer.core import TyperCommand

from curri.cli import environment, usage
from curri.cli.output import Output
from curri.cli.watch import Watch
from curri.errors import ConfigError

if TYPE_CHECKING:
    from curri.catalog.database import Database
    from curri.config import Loaded

Json = Annotated[
    bool,
    typer.Option("--json", envvar="CURRI_JSON", help="Print one JSON object a line."),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="CURRI_QUIET", help="Print only what went wrong."),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", envvar="CURRI_VERBOSE", help="Print every item."),
]
Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        readable=False,
        help="Write how the run went to FILE, for node_exporter.  [env var: CURRI_METRICS]",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="CURRI_CONFIG",
        readable=False,  # curri says itself what cannot be read
        help="Read settings from FILE, not from the curri.toml of the curriculum or of this folder.",
    ),
]


VARIABLES: set[str] = set()
"""Those of the options of all commands."""


class _Command(TyperCommand):
    """A command whose help does not tell the types of Python that its arguments have."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for each in self.params:
            if each.param_type_name == "argument":
                setattr(each, "display_type_rich", lambda ctx: "")  # noqa: ARG005, B010 - called by name


class Start(NamedTuple):
    """What is known before the command line is read."""

    output: Output
    watch: Watch  # tells monitoring how the run ended, where the command is one that it minds
    env_file: frozenset[str] = frozenset()  # names of the variables that came from `.env`


class Session:
    """One command at work."""

    def __init__(self, start: Start, config_file: Path | None) -> None:
        self.output = start.output
        self._watch = start.watch
        self._env_file = start.env_file
        self._config_file = config_file

    def settings(self, root: Path | None = None, flags: Mapping[str, object] | None = None) -> Loaded:
        """Return the settings; `root` is the curriculum folder, if the command has one. Raises ConfigError.

        No command works without having asked for them: so what monitoring cannot be told is an error before the work.
        """
        from curri import config

        self._watch.looks_in(self._config_file, root)
        given = {**self._watch.flags, **(flags or {})}
        loaded = config.load(given, file=self._config_file, root=root, env_file=self._env_file)
        self._watch.prepare(loaded.settings)
        return loaded

    @contextmanager
    def address(self, root: Path | None = None, *, tables: bool = False) -> Iterator[str]:
        """Yield the address of the database; the embedded server runs meanwhile if none is configured.

        With `tables` the embedded server's tables are brought up to date first; a configured database is not touched.
        """
        from curri.catalog import database, embedded, migrate

        loaded = self.settings(root)
        settings = loaded.settings
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
            try:
                database.parse(url)
            except ConfigError as error:
                error.where = loaded.where("database_url")
                raise
            yield url
            return
        with embedded.server(settings.home) as url:
            if tables:
                migrate.move_if_needed(url)
            yield url

    @contextmanager
    def catalog(self, root: Path | None = None) -> Iterator[Database]:
        """Yield the open catalog. Raises NotMigrated if its tables are not those of this version."""
        from curri.catalog.database import connect

        with self.address(root, tables=True) as url, connect(url) as database:
            self._watch.opened = True
            database.require_tables()
            yield database


def command(
    group: typer.Typer, name: str, *, watched: bool = False, named: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command: a function of a Session and its own options, which gets the common options added.

    One that is `watched` tells monitoring how it ended (CURRI_PING_URL, --metrics), unless it changes nothing because
    of an option `dry_run` or `check`: those that cron runs, and that keep the ledger. One that is `named` reads names
    of files, or looks for files by the names in the catalog.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        def run(ctx: typer.Context, **given: Any) -> None:
            start: Start = ctx.find_root().obj
            output = start.output
            output.as_json = given.pop("json")
            output.quiet = given.pop("quiet")
            output.verbose = given.pop("verbose")
            output.command = usage.name_of(ctx)
            session = Session(start, given.pop("config"))
            if watched:
                metrics = given.pop("metrics")
                if not (given.get("dry_run") or given.get("check")):
                    start.watch.begin(session.catalog, {"metrics": metrics})
            for told in environment.unknown(VARIABLES):
                output.line(told, word="warning", to=output.err)
            if named:
                _require_names()
            function(session, **given)

        parameters = [
            inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *own,
            *([_option("metrics", Metrics, default=None)] if watched else []),
            _option("json", Json, default=False),
            _option("quiet", Quiet, default=False),
            _option("verbose", Verbose, default=False),
            _option("config", Config, default=None),
        ]
        options = [option for each in parameters for option in get_args(each.annotation)[1:]]
        VARIABLES.update(each.envvar for each in options if isinstance(getattr(each, "envvar", None), str))
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = function.__doc__
        group.command(name, cls=_Command)(run)
        return function

    return register


def _require_names() -> None:
    """Raise ConfigError where names of files would be read as what they are not, and recorded so."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower() != "utf-8":
        raise ConfigError(f"file names would be read as {encoding.upper()}", hint="set LC_ALL=C.UTF-8 or PYTHONUTF8=1")


def _option(name: str, annotation: object, *, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
