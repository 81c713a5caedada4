"""`curri sandbox`: a local Cloudflare Stream, for rehearsals without an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curri.cli.commands import app
from curri.cli.session import Session, command
from curri.errors import ExitCode

if TYPE_CHECKING:
    from curri.sandbox import Sandbox


@command(app, "sandbox")
def sandbox(  # noqa: PLR0913 - the parameters are the options of the command
    session: Session,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, envvar="CURRI_SANDBOX_PORT", help="Port; 0 takes a free one."
        ),
    ] = 8787,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            envvar="CURRI_SANDBOX_DATA",
            help="Keep videos and state here, and go on with them next time.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            envvar="CURRI_SANDBOX_TOKEN",
            help="The API token to let in, in place of the usual.",
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", envvar="CURRI_SANDBOX_ACCOUNT", help="The account id to play."),
    ] = None,
    encode_seconds: Annotated[
        float,
        typer.Option(
            "--encode-seconds",
            metavar="N",
            min=0,
            envvar="CURRI_SANDBOX_ENCODE_SECONDS",
            help="How long processing a video lasts.",
        ),
    ] = 10.0,
    quota_minutes: Annotated[
        int,
        typer.Option(
            "--quota-minutes",
            metavar="N",
            min=0,
            envvar="CURRI_SANDBOX_QUOTA_MINUTES",
            help="Minutes that the account may store.",
        ),
    ] = 10_000,
    faults: Annotated[
        str | None,
        typer.Option(
            "--faults",
            metavar="FILE|JSON",
            envvar="CURRI_SANDBOX_FAULTS",
            help="What goes wrong, and when: a file or JSON.",
        ),
    ] = None,
) -> None:
    """Play Cloudflare Stream on this machine.

    Until Ctrl-C, and without --data nothing is kept then: rehearse an upload without an account.
    """
    from curri.sandbox import SandboxSettings, Timings, read_faults, serve

    usual = SandboxSettings()
    settings = SandboxSettings(
        port=port,
        data=data,
        token=token or usual.token,
        account_id=account or usual.account_id,
        timings=Timings.lasting(encode_seconds),
        quota_minutes=quota_minutes,
        faults=read_faults(faults) if faults else (),
    )

    def ready(box: Sandbox) -> None:
        if session.output.as_json:
            session.output.emit("sandbox", url=box.url, account_id=box.account_id)
        session.output.say(f"Cloudflare Stream, played by this machine: {box.origin}\n")
        session.output.say(f"    export CURRI_STREAM_URL={box.url}")
        session.output.say(f"    export CLOUDFLARE_ACCOUNT_ID={box.account_id}")
        shown = "..." if token else box.token  # the usual one guards nothing; a chosen one is the user's
        session.output.say(f"    export CLOUDFLARE_API_TOKEN={shown}\n")
        kept = f"videos and state are kept in {data}" if data else "nothing is kept then; `--data DIR` keeps it"
        session.output.say(f"Ctrl-C ends it; {kept}.")
        session.output.out.flush()

    serve(settings, ready)
    session.output.summary(ExitCode.OK)
