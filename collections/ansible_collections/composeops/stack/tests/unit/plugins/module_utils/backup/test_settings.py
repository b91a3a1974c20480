# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

STORE = {"bucket": "backups", "access_key": "id", "secret_key": "hush-hush"}
DATABASE = {
    "name": "database",
    "type": "postgres",
    "stack": "petcare",
    "service": "postgres",
    "database": "pet_system",
    "user": "petuser",
}
REDIS = {"name": "redis", "type": "redis", "stack": "petcare", "service": "redis", "password_secret": "REDIS_PASSWORD"}

MONGO = {
    "name": "documents",
    "type": "mongo",
    "stack": "shop",
    "service": "mongodb",
    "database": "shop",
    "user": "root",
    "password_secret": "MONGO_PASSWORD",
}
ELSEWHERE = {
    "name": "remote",
    "type": "postgres",
    "stack": "shop",
    "host": "db.example.com",
    "image": "postgres:15-alpine",
    "database": "shop",
    "user": "shop",
    "password_secret": "DATABASE_PASSWORD",
}
FILES = {"name": "config", "type": "files", "stack": "shop", "paths": ["/etc/shop"], "volumes": ["uploads"]}


EVERY = {**{key: value for key, value in DATABASE.items() if key != "database"}, "databases": "all", "exclude": ["old"]}


def text(**changes: Any) -> str:
    return json.dumps({"host": "petcare1", "store": STORE, "sources": [DATABASE, REDIS], **changes})


def test_everything_is_read() -> None:
    read = settings.parse(text())
    assert read.host == "petcare1"
    assert read.store == Store("backups", "id", "hush-hush")
    assert read.source("database") == Source("database", "postgres", "petcare", "postgres", "pet_system", "petuser")
    assert read.chosen(()) == read.sources
    assert read.chosen(("redis", "database")) == (read.source("redis"), read.source("database"))


def test_each_kind_of_source_has_its_own_port() -> None:
    read = settings.parse(text(sources=[REDIS, MONGO, {**MONGO, "name": "other", "port": 1234}]))
    assert [source.port for source in read.sources] == [6379, 27017, 1234]


def test_a_server_elsewhere_is_reached_at_its_own_port_and_in_tls() -> None:
    source = settings.parse(text(sources=[ELSEWHERE])).source("remote")
    assert (source.host, source.port, source.tls, source.service) == ("db.example.com", 5432, "require", "")
    other = settings.parse(text(sources=[{**ELSEWHERE, "port": 6432, "tls": "disable"}])).source("remote")
    assert (other.port, other.tls) == (6432, "disable")


def test_every_database_of_a_server_is_a_kind_of_its_own() -> None:
    read = settings.parse(text(sources=[EVERY, {**ELSEWHERE}]))
    every = read.source("database")
    assert (every.type, every.kind, every.database, every.exclude) == ("postgres", "postgres_all", "postgres", ("old",))
    assert read.source("remote").kind == "postgres"


def test_files_are_read() -> None:
    source = settings.parse(text(sources=[FILES])).source("config")
    assert (source.paths, source.volumes) == (("/etc/shop",), ("uploads",))


def test_an_unknown_source_names_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="databse is not a backup source of this host; there are: database, redis"):
        settings.parse(text()).source("databse")


def test_a_secret_is_not_shown_by_accident() -> None:
    assert "hush-hush" not in repr(settings.parse(text()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "is not JSON", id="cut off"),
        pytest.param("{}", "'host' is missing", id="empty"),
        pytest.param(text(host="a/b"), "is not a host name", id="host that is a path"),
        pytest.param(text(store={**STORE, "bukket": "x"}), "bukket", id="unknown key of the store"),
        pytest.param(text(store={"bucket": "b"}), "access_key", id="store without credentials"),
        pytest.param(text(store={**STORE, "bucket": ""}), "has no bucket", id="no bucket"),
        pytest.param(text(sources=[{**REDIS, "shedule": "daily"}]), "shedule", id="unknown key of a source"),
        pytest.param(text(sources=[REDIS, REDIS]), "two sources called redis", id="one name twice"),
        pytest.param(text(sources=[{**REDIS, "name": "../x"}]), "is not a source name", id="name that is a path"),
        pytest.param(text(sources=[{**REDIS, "type": "mysql"}]), "type mysql is none of", id="unknown type"),
        pytest.param(text(sources=[{**REDIS, "service": ""}]), "has no service", id="no service"),
        pytest.param(text(sources=[{**REDIS, "paths": ["/etc"]}]), "are of type files", id="paths of a server"),
        pytest.param(text(sources=[{**MONGO, "user": ""}]), "belong together", id="password of nobody"),
        pytest.param(text(sources=[{**MONGO, "database": ""}]), "is no database name", id="no database"),
        pytest.param(text(sources=[{**ELSEWHERE, "service": "db"}]), "exclude each other", id="here and elsewhere"),
        pytest.param(text(sources=[{**ELSEWHERE, "host": "a --x"}]), "no name or address", id="host as an option"),
        pytest.param(text(sources=[{**ELSEWHERE, "image": ""}]), "image to take the clients from", id="no clients"),
        pytest.param(text(sources=[{**ELSEWHERE, "password_secret": ""}]), "has no password_secret", id="no password"),
        pytest.param(text(sources=[{**ELSEWHERE, "tls": "perhaps"}]), "none of require, prefer", id="unknown TLS"),
        pytest.param(text(sources=[{**DATABASE, "image": "x"}]), "image goes with host", id="clients of a container"),
        pytest.param(
            text(sources=[{**REDIS, "service": "", "host": "a"}]), "is of type postgres", id="Redis elsewhere"
        ),
        pytest.param(text(sources=[{**FILES, "paths": [], "volumes": []}]), "neither paths nor", id="nothing"),
        pytest.param(text(sources=[{**FILES, "paths": ["etc"]}]), "no plain absolute path", id="relative"),
        pytest.param(text(sources=[{**FILES, "paths": ["/etc/../root"]}]), "no plain absolute path", id="dots"),
        pytest.param(text(sources=[{**FILES, "paths": ["/"]}]), "no plain absolute path", id="everything"),
        pytest.param(text(sources=[{**FILES, "paths": ["/a", "/a/b"]}]), "is in another of its paths", id="nested"),
        pytest.param(text(sources=[{**FILES, "volumes": ["a", "a"]}]), "is there twice", id="volume twice"),
        pytest.param(text(sources=[{**FILES, "volumes": ["../a"]}]), "as the compose file does", id="volume as a path"),
        pytest.param(text(sources=[{**DATABASE, "database": "x host=y"}]), "is no database name", id="injection"),
        pytest.param(text(sources=[{**EVERY, "database": "a"}]), "exclude each other", id="one and all"),
        pytest.param(text(sources=[{**EVERY, "databases": "most"}]), "can be all alone", id="some of them"),
        pytest.param(text(sources=[{**MONGO, "databases": "all"}]), "exclude each other", id="all of MongoDB"),
        pytest.param(text(sources=[{**REDIS, "databases": "all"}]), "is of type postgres", id="all of Redis"),
        pytest.param(text(sources=[{**DATABASE, "exclude": ["a"]}]), "goes with `databases: all`", id="all of one but"),
        pytest.param(text(sources=[{**DATABASE, "user": ""}]), "has no database user", id="no user"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(content: str, message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message) as raised:
        settings.parse(content)
    assert "hush-hush" not in str(raised.value)


def test_a_host_without_settings_is_told_what_to_run(tmp_path: Path) -> None:
    path = str(tmp_path / "backup.json")
    assert settings.read(path) is None
    with pytest.raises(ComposeOpsError, match=r"Run playbooks/site\.yml"):
        settings.require(path)
    Path(path).write_text(text(), encoding="utf-8")
    assert settings.require(path).host == "petcare1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"recipients": ["age1typo", "age1other"]}, "backup_recipients: 'age1typo' is no public", id="key"),
        pytest.param({"bandwidth": "fast"}, "backup_bandwidth 'fast' is no rate", id="rate"),
    ],
)
def test_what_the_role_was_told_is_looked_at(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        settings.parse(text(**changes))


def test_a_host_that_was_set_up_before_there_were_keys_goes_on_without() -> None:
    assert (settings.parse(text()).recipients, settings.parse(text()).bandwidth) == ((), 0)


@pytest.mark.parametrize("option", ["heartbeat_url", "drill_heartbeat_url"])
@pytest.mark.parametrize(
    "url",
    ["hc.example/hush", "ftp://hc.example/hush", "https:///hush", "https://hc.example/hush#x", "https://h y/hush"],
)
def test_a_heartbeat_goes_to_a_url_that_is_said_nowhere(option: str, url: str) -> None:
    good = settings.parse(text(sources=[{**REDIS, option: "https://hc.example/hush"}]))
    assert getattr(good.source("redis"), option) == "https://hc.example/hush"
    assert "hush" not in repr(good)
    with pytest.raises(InvalidInput, match=f"{option} is no URL") as raised:
        settings.parse(text(sources=[{**REDIS, option: url}]))
    assert "hush" not in str(raised.value)


def test_a_source_is_drilled_every_week_unless_it_says_otherwise() -> None:
    read = settings.parse(text(sources=[REDIS, {**DATABASE, "drill": "never"}]))
    assert [source.drill for source in read.sources] == ["weekly", "never"]


CLUSTER = {"name": "cluster", "type": "postgres_cluster", "stack": "shop", "service": "db", "user": "app"}


def test_a_whole_server_is_read_with_its_defaults() -> None:
    (source,) = settings.parse(text(sources=[CLUSTER])).sources
    assert (source.database, source.port) == ("postgres", 5432)
    assert (source.point_in_time.lag, source.point_in_time.spool_limit) == ("30s", "4G")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({**CLUSTER, "user": ""}, "it has no database user"),
        ({**CLUSTER, "service": ""}, "it has no service"),
        ({**CLUSTER, "service": "", "host": "db.example.com"}, "host is of type postgres"),
        ({**CLUSTER, "point_in_time": {"lag": "soon"}}, "'soon' is not a duration"),
        ({**CLUSTER, "point_in_time": {"lag": "1s"}}, "lag is less than 5s"),
        ({**CLUSTER, "point_in_time": {"spool_limit": "4 GB"}}, "'4 GB' is no size"),
        ({**CLUSTER, "point_in_time": {"spool_limit": "63M"}}, "spool_limit is less than 64M"),
        ({**CLUSTER, "point_in_time": {"latency": "5s"}}, "latency"),
        ({**DATABASE, "point_in_time": {"lag": "5s"}}, "point_in_time is of type postgres_cluster"),
    ],
)
def test_what_is_wrong_with_a_whole_server_is_said(source: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        settings.parse(text(sources=[source]))
