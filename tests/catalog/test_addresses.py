"""Addresses of databases: every usual form is understood, and a password is never shown, whatever is wrong with it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from curri.catalog.database import masked, parse
from curri.errors import ConfigError, ExitCode

PASSWORD = "s3cr3t"


@pytest.mark.parametrize(
    ("given_form", "shown", "url"),
    [
        (
            "postgresql://ann:s3cr3t@db.example.org/school",
            "ann@db.example.org/school",
            "postgresql://ann@db.example.org/school",
        ),
        ("postgres://ann:s3cr3t@db:6543/school", "ann@db:6543/school", "postgresql://ann@db:6543/school"),
        ("POSTGRES://ann:s3cr3t@db/school", "ann@db/school", "postgresql://ann@db/school"),
        ("postgresql+psycopg://ann:s3cr3t@db/school", "ann@db/school", "postgresql://ann@db/school"),
        ("postgresql+psycopg_async://ann:s3cr3t@db/school", "ann@db/school", "postgresql://ann@db/school"),
        ("  postgresql://ann:s3cr3t@db/school\n", "ann@db/school", "postgresql://ann@db/school"),
        ("postgresql://db", "db/", "postgresql://db/"),
        ("postgresql://", "local socket/", "postgresql:///"),
        ("postgresql:///school", "local socket/school", "postgresql:///school"),
        ("postgresql://ann:s3cr3t@[::1]:6543/school", "ann@[::1]:6543/school", "postgresql://ann@[::1]:6543/school"),
        (
            "postgresql://ann:s3cr3t@[2001:db8::1]/school",
            "ann@[2001:db8::1]/school",
            "postgresql://ann@[2001:db8::1]/school",
        ),
        ("host=db user=ann password=s3cr3t dbname=school", "ann@db/school", "postgresql://ann@db/school"),
        ("host=db port=1 password='s3cr3t with = and ://'", "db:1/", "postgresql://db:1/"),
        ("dbname=school password=s3cr3t", "local socket/school", "postgresql:///school"),
        (
            "hostaddr=192.0.2.1 password=s3cr3t",
            "192.0.2.1/",
            "postgresql:///?hostaddr=192.0.2.1",
        ),
        (
            "postgresql://ann:s3cr3t@/school?host=/run/pg&port=6543",
            "ann@/run/pg:6543/school",
            "postgresql://ann@/school?host=%2Frun%2Fpg&port=6543",
        ),
        (
            "postgresql://ann:s3cr3t@%2Frun%2Fpg%2012/school",
            "ann@/run/pg 12/school",
            "postgresql://ann@/school?host=%2Frun%2Fpg%2012",
        ),
        (
            "postgresql://ann:s3cr3t@one:1,two:2/school",
            "ann@one:1,two:2/school",
            "postgresql://ann@/school?host=one%2Ctwo&port=1%2C2",
        ),
        (
            "host=one,two port=6543 password=s3cr3t",
            "one:6543,two:6543/",
            "postgresql:///?host=one%2Ctwo&port=6543",
        ),
        (
            "postgresql://db/school?user=ann&password=s3cr3t&sslmode=require&options=-csearch_path%3Da",
            "ann@db/school",
            "postgresql://ann@db/school?options=-csearch_path%3Da&sslmode=require",
        ),
        ("postgresql://db/school?sslpassword=s3cr3t&sslkey=k", "db/school", "postgresql://db/school?sslkey=k"),
        ("postgresql://a%40b:s3cr3t@db/my%20school", "a@b@db/my school", "postgresql://a%40b@db/my%20school"),
        ("postgresql://ann:s3cr3t?#&=@db/school", "ann@db/school", "postgresql://ann@db/school"),
    ],
)
def test_a_usual_form_is_understood_and_shown_without_its_password(given_form: str, shown: str, url: str) -> None:
    conninfo, address = parse(given_form)
    assert address == shown
    assert masked(given_form) == url
    public = {name: value for name, value in conninfo_to_dict(conninfo).items() if "password" not in name}
    assert conninfo_to_dict(url) == public
    assert PASSWORD not in address + url


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " \n",
        PASSWORD,
        f"mysql://ann:{PASSWORD}@db/school",
        f"sqlite:///{PASSWORD}.db",
        f"'postgresql://ann:{PASSWORD}@db/school'",
        f"CURRI_DATABASE_URL=postgresql://ann:{PASSWORD}@db/school",
        f"postgresql:/ann:{PASSWORD}@db/school",
        f"postgresql://ann:{PASSWORD}",
        f"postgresql://ann:{PASSWORD}/",
        f"postgresql://ann:{PASSWORD}/x@db/school",
        f"postgresql://ann:x/{PASSWORD}@db/school",
        f"postgresql://ann:x@{PASSWORD}@db/school",
        f"postgresql://ann:1/{PASSWORD}@db/school",
        f"postgresql://ann:{PASSWORD}@db:port/school",
        f"postgresql://ann:{PASSWORD}%zz@db/school",
        f"postgresql://ann:{PASSWORD}%00@db/school",
        f"postgresql://ann:{PASSWORD}%ff@db/school",
        f"postgresql://ann:{PASSWORD}\0@db/school",
        f"postgresql://ann:{PASSWORD}@db\0/school",
        f"postgresql://ann:?@{PASSWORD}@db/school",
        f"postgresql://ann:{PASSWORD}\udcff@db/school",
        f"postgresql://ann:{PASSWORD}@[::1/school",
        f"postgresql://ann:{PASSWORD}@db/school?schema=public",
        f"postgresql://ann:{PASSWORD}@db/school?pgbouncer=true&connection_limit=5",
        f"host=db password={PASSWORD} and more",
        f"host=db password='{PASSWORD}",
        f"host=db pasword={PASSWORD}",
        f"host=db port={PASSWORD}",
    ],
)
@pytest.mark.parametrize("read", [parse, masked])
def test_what_is_no_address_is_refused_and_not_repeated(wrong: str, read: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(wrong)
    error = caught.value
    assert error.exit_code is ExitCode.CONFIG
    assert error.where == "CURRI_DATABASE_URL"
    shown = "".join(traceback.format_exception(error))
    assert PASSWORD not in f"{error!r} {error.message} {error.hint} {shown}"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_password_passes_when_it_is_quoted(password: str) -> None:
    conninfo, address = parse(f"postgresql://ann:{quote(password, safe='')}@db:1/school")
    assert conninfo_to_dict(conninfo)["password"] == password
    assert address == "ann@db:1/school"
    assert masked(conninfo) == "postgresql://ann@db:1/school"


@given(st.text(st.characters(codec="utf-8"), min_size=1) | st.text("@/:?#[]%= 1a", min_size=1))
def test_a_password_that_is_not_quoted_is_never_taken_for_another_part_of_the_address(password: str) -> None:
    try:
        _, address = parse(f"postgresql://ann:{password}@db:1/school")
    except ConfigError:
        return
    assert address == "ann@db:1/school"


@pytest.mark.parametrize("options", ["-csearch_path=catalog", "-c%20search_path=catalog&sslmode=require"])
def test_an_equals_sign_inside_of_options_is_told_to_be_quoted(options: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"postgresql://ann:{PASSWORD}@db/school?options={options}")
    assert "inside of `options` write each `=` as %3D" in str(caught.value.hint)
    parse("postgresql://ann@db/school?options=-csearch_path%3Dcatalog")
    with pytest.raises(ConfigError) as caught:
        parse(f"postgresql://ann:{PASSWORD}@db/school?schema=catalog")
    assert "?options=-csearch_path%3DNAME" in str(caught.value.hint)
