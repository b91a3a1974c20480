"""What a host knows for its checks: its backups, and what could answer from outside."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.checks import host
from ansible_collections.composeops.stack.plugins.module_utils.checks.host import published_ports
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner, Completed


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("", set()),
        ("5432/tcp", set()),
        ("127.0.0.1:21000->3000/tcp", set()),
        ("[::1]:21000->3000/tcp", set()),
        ("0.0.0.0:5432->5432/tcp, [::]:5432->5432/tcp", {5432}),
        (":::6379->6379/tcp", {6379}),
        ("0.0.0.0:8000-8002->8000-8002/tcp", {8000, 8001, 8002}),
        ("127.0.0.1:21000->3000/tcp, 10.0.0.5:9000->9000/tcp, 9100/tcp", {9000}),
    ],
    ids=["none", "not-published", "loopback", "ipv6-loopback", "any", "any-ipv6", "range", "mixed"],
)
def test_ports_published_beyond_the_loopback_are_read(ports: str, expected: set[int]) -> None:
    assert published_ports(ports) == expected


def test_bucket_is_opened_once_for_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    store = Store("backups", "access", "secret")
    sources = (Source("database", "postgres", "shop", "db"), Source("redis", "redis", "shop", "redis"))
    created = datetime(2026, 1, 1, tzinfo=timezone.utc)
    monkeypatch.setattr(host.settings, "require", lambda: Settings("web1", store, sources))
    monkeypatch.setattr(host.catalogue, "open_bucket", lambda given: opened.append(given) or "bucket")
    monkeypatch.setattr(
        host.catalogue,
        "newest",
        lambda bucket, source, name: (
            Entry(source, name, f"{source}-1", created, True, 1) if source != "redis" else None
        ),
    )
    local = host.LocalHost(CommandRunner())
    assert local.newest_backup("database") == ("database-1", created)
    assert local.newest_backup("redis") is None
    assert opened == [store]


def test_source_that_the_host_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings("web1", Store("backups", "access", "secret"), ())
    monkeypatch.setattr(host.settings, "require", lambda: settings)
    with pytest.raises(ComposeOpsError, match="nowhere"):
        host.LocalHost(CommandRunner()).newest_backup("nowhere")


def test_drills_are_set_up_since_their_timer_was_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    timer = tmp_path / "drill.timer"
    monkeypatch.setattr(host.timers, "drill_path", lambda source: str(timer))
    local = host.LocalHost(CommandRunner())
    assert local.drilled_since("database") is None
    timer.write_text("")
    os.utime(timer, (0, 0))
    assert local.drilled_since("database") == datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_failed_units_are_read_as_systemd_lists_them() -> None:
    class Systemctl:
        def run(self, argv: list[str], **_options: object) -> Completed:
            said = "a.service loaded failed failed What a does\nb@x.timer not-found failed failed b@x.timer\n"
            return Completed(tuple(argv), 0, said, "")

    assert host.LocalHost(Systemctl()).failed_units() == ["a.service", "b@x.timer"]


def test_the_age_of_a_wish_for_a_reboot_is_that_of_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wish = tmp_path / "reboot-required"
    monkeypatch.setattr(host, "REBOOT_REQUIRED", str(wish))
    local = host.LocalHost(CommandRunner())
    assert local.reboot_wanted_since() is None
    wish.touch()
    os.utime(wish, (1_700_000_000, 1_700_000_000))
    assert local.reboot_wanted_since() == datetime.fromtimestamp(1_700_000_000, timezone.utc)
