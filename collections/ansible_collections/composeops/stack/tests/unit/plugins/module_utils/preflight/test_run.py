"""A look at a host: every subject is looked at, an error in one does not hide the others, and some can be left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Store
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed
from ansible_collections.composeops.stack.plugins.module_utils.preflight import run as running
from ansible_collections.composeops.stack.plugins.module_utils.preflight.bucket import Answer
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import Machine, Requirements
from ansible_collections.composeops.stack.plugins.module_utils.preflight.ports import Seen, Wanted
from ansible_collections.composeops.stack.plugins.module_utils.preflight.registry import Refusal
from ansible_collections.composeops.stack.plugins.module_utils.preflight.run import Preflight, Request, StackFacts
from ansible_collections.composeops.stack.plugins.module_utils.secrets.model import SecretSpec

STACK = StackFacts(
    "shop",
    "services: {web: {image: 'shop/web:1.0'}}\n",
    "/inventory/compose.yaml",
    {"WEB_VERSION": "1.0"},
    (SecretSpec("SMTP_PASS", generate=False),),
    ("shop/web:1.0", "postgres:15"),
)
REQUEST: dict[str, Any] = {
    "required": Requirements(["debian-13"], (3, 10), 900, {"/": 500}),
    "ports": (Wanted(80, "nginx", "its sites"),),
    "names": ("shop.example",),
    "public_addresses": (),
    "stacks": (STACK,),
    "mirrors": (),
    "store": Store("backups", "access", "secret"),
    "clock_tolerance": 30,
}


class Host:
    """A runner that answers as a host's programs do."""

    def __init__(self, *, compose: str = "", engine: bool = True, images: str = "", canonical: str = "{}") -> None:
        self.compose_error, self.engine, self.images, self.canonical = compose, engine, images, canonical
        self.environments: list[Mapping[str, str]] = []

    def run(self, argv: Sequence[str], *, environment: Mapping[str, str] | None = None, **_options: Any) -> Completed:
        command = " ".join(argv)
        if "config" in argv:
            self.environments.append(environment or {})
            return Completed(tuple(argv), 1 if self.compose_error else 0, self.canonical, self.compose_error)
        if command.startswith("docker") and not self.engine:
            return Completed(tuple(argv), 127, "", "docker: not found")
        return Completed(tuple(argv), 0, self.images if "image" in argv else "[]", "")


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    """A host, a registry and a store that have everything."""
    machine = Machine("debian-13", "Debian 13", (3, 13), 4000, {"/": 9000})
    monkeypatch.setattr(running.observe, "machine", lambda paths: machine)
    monkeypatch.setattr(running.observe, "ports", lambda runner, ports: Seen([], {}))
    monkeypatch.setattr(running.observe, "resolve", lambda names: [])
    monkeypatch.setattr(running.secrets_store, "read", lambda stack: {"SMTP_PASS": "stored"})
    monkeypatch.setattr(running.registry, "refusal", lambda image, mirrors, logins: None)
    monkeypatch.setattr(running.bucket, "try_to_write", lambda store: Answer())
    monkeypatch.setattr(running, "DOCKER_LOGINS", str(tmp_path / "config.json"))
    return monkeypatch


def problems(host: Host, **changes: Any) -> list[tuple[str, str]]:
    findings = Preflight(Request(**{**REQUEST, **changes}), host).run()
    return [(problem.subject, problem.message) for problem in findings.problems]


def test_host_that_has_everything_has_no_problem(good: pytest.MonkeyPatch) -> None:
    findings = Preflight(Request(**REQUEST), Host()).run()
    assert (findings.problems, findings.deferred) == ((), ())


def test_every_problem_is_reported_at_once(good: pytest.MonkeyPatch) -> None:
    good.setattr(running.observe, "machine", lambda paths: Machine("bsd-1", "BSD", (3, 9), 1, {"/": 1}))
    good.setattr(running.secrets_store, "read", lambda stack: {})
    good.setattr(running.registry, "refusal", lambda image, mirrors, logins: Refusal("it is not there", "Push it."))
    good.setattr(running.bucket, "try_to_write", lambda store: Answer("the bucket is gone.", "Create it."))
    found = problems(Host(compose="services.web.imagee is not allowed"))
    assert [subject for subject, _message in found] == [
        *("system", "system", "memory", "disk", "secrets", "compose", "images", "images", "bucket")
    ]
    assert ("images", "shop/web:1.0 of stack shop cannot be pulled: it is not there.") in found
    assert any("SMTP_PASS has no value" in message for _subject, message in found)
    assert any("services.web.imagee is not allowed" in message for _subject, message in found)


def test_error_in_one_subject_does_not_hide_the_others(good: pytest.MonkeyPatch) -> None:
    def broken(stack: str) -> dict[str, str]:
        raise ComposeOpsError("the secrets cannot be read.", "Look at them.")

    good.setattr(running.secrets_store, "read", broken)
    good.setattr(running.bucket, "try_to_write", lambda store: Answer("the bucket is gone.", "Create it."))
    assert problems(Host()) == [("secrets", "the secrets cannot be read."), ("bucket", "the bucket is gone.")]


@pytest.mark.parametrize("subject", ["secrets", "memory", "bucket", "images", "compose"])
def test_subject_that_is_skipped_is_not_reported(subject: str, good: pytest.MonkeyPatch) -> None:
    good.setattr(running.observe, "machine", lambda paths: Machine("debian-13", "Debian", (3, 13), 1, {"/": 9000}))
    good.setattr(running.secrets_store, "read", lambda stack: {})
    good.setattr(running.registry, "refusal", lambda image, mirrors, logins: Refusal("no", "Push it."))
    good.setattr(running.bucket, "try_to_write", lambda store: Answer("the bucket is gone.", "Create it."))
    host = Host(compose="services.web.imagee is not allowed")
    assert subject in {found for found, _message in problems(host)}
    assert subject not in {found for found, _message in problems(host, skip=frozenset({subject}))}


def test_bare_host_defers_what_only_compose_can_tell(good: pytest.MonkeyPatch) -> None:
    findings = Preflight(Request(**REQUEST), Host(engine=False)).run()
    assert findings.problems == ()
    assert [deferred.subject for deferred in findings.deferred] == ["compose"]
    assert "once the engine is installed" in findings.deferred[0].message


def test_compose_file_that_needs_files_beside_it_is_deferred(good: pytest.MonkeyPatch) -> None:
    findings = Preflight(Request(**REQUEST), Host(compose="env file /tmp/x/app.env not found")).run()
    assert findings.problems == ()
    assert "The deployment brings the files" in findings.deferred[0].message


def test_compose_is_asked_with_stand_ins_for_secrets(good: pytest.MonkeyPatch) -> None:
    host = Host()
    Preflight(Request(**REQUEST), host).run()
    assert host.environments[0] == {"SMTP_PASS": "stand-in", "WEB_VERSION": "1.0"}


def test_images_on_the_host_are_not_asked_for(good: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    good.setattr(running.registry, "refusal", lambda image, mirrors, logins: asked.append(str(image)))
    problems(Host(images="postgres:15\nother:1\n"))
    assert asked == ["docker.io/shop/web:1.0"]


def test_registry_that_does_not_want_to_say_defers(good: pytest.MonkeyPatch) -> None:
    good.setattr(running.registry, "refusal", lambda image, mirrors, logins: Refusal("429", "Wait.", transient=True))
    findings = Preflight(Request(**REQUEST), Host()).run()
    assert findings.problems == ()
    assert {deferred.subject for deferred in findings.deferred} == {"images"}


@pytest.mark.parametrize(
    ("recipients", "message"),
    [
        pytest.param((), "backup_recipients names nobody to encrypt the backups to.", id="nobody"),
        pytest.param(("age1typo", "age1other"), "backup_recipients: 'age1typo' is no public key of age", id="mistyped"),
    ],
)
def test_keys_that_would_open_nothing_are_told(
    good: pytest.MonkeyPatch, recipients: tuple[str, ...], message: str
) -> None:
    ((subject, said),) = problems(Host(), recipients=recipients)
    assert subject == "bucket"
    assert said.startswith(message)


def test_system_without_backups_asks_no_store(good: pytest.MonkeyPatch) -> None:
    good.setattr(running.bucket, "try_to_write", lambda store: pytest.fail("the store was asked"))
    assert problems(Host(), store=None) == []


def test_what_a_service_lacks_is_a_hint_and_no_problem(good: pytest.MonkeyPatch) -> None:
    host = Host(canonical='{"services": {"web": {"image": "web:1", "user": "nginx", "cap_drop": ["ALL"]}}}')
    findings = Preflight(Request(**REQUEST), host).run()
    assert findings.problems == ()
    (hint,) = [found.sentence() for found in findings.hints]
    assert hint.startswith("hint: confinement: shop/web can write to its image")
    assert "capabilities" not in hint
    skipped = Preflight(Request(**REQUEST, skip=frozenset({"confinement"})), host).run()
    assert skipped.hints == ()
