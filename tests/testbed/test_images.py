"""An image is built anew exactly when what it is made of has changed."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from testbed import bases, catalogue, images
from testbed.state import StateDirectory

FILES = {"Dockerfile": b"FROM x\n", "entrypoint.sh": b"#!/bin/sh\n"}
DIGEST = images.digest(FILES, {"VERSION": "1.0.0"}, "sha256:base")


@pytest.mark.parametrize(
    ("files", "arguments", "base"),
    [
        pytest.param({**FILES, "Dockerfile": b"FROM y\n"}, {"VERSION": "1.0.0"}, "sha256:base", id="content"),
        pytest.param({**FILES, "more": b""}, {"VERSION": "1.0.0"}, "sha256:base", id="another_file"),
        pytest.param({"dockerfile": b"FROM x\n"}, {"VERSION": "1.0.0"}, "sha256:base", id="renamed_file"),
        pytest.param(FILES, {"VERSION": "1.1.0"}, "sha256:base", id="argument"),
        pytest.param(FILES, {"VERSION": "1.0.0"}, "sha256:newer", id="base"),
    ],
)
def test_digest_follows_everything_that_matters(files: dict[str, bytes], arguments: dict[str, str], base: str) -> None:
    assert images.digest(files, arguments, base) != DIGEST


def test_digest_is_the_same_for_the_same_image() -> None:
    assert images.digest(dict(reversed(FILES.items())), {"VERSION": "1.0.0"}, "sha256:base") == DIGEST


def test_context_is_stable_and_scripts_are_executable() -> None:
    with tarfile.open(fileobj=images.archive({**FILES, "weed": b"\x7fELF..."})) as tar:
        members = {member.name: (member.mode, member.mtime) for member in tar.getmembers()}
    assert members == {"Dockerfile": (0o644, 0), "entrypoint.sh": (0o755, 0), "weed": (0o755, 0)}


def test_context_leaves_caches_out(tmp_path: Path) -> None:
    (tmp_path / "sample" / "__pycache__").mkdir(parents=True)
    (tmp_path / "sample" / "__pycache__" / "x.pyc").touch()
    (tmp_path / "sample" / "app.py").write_text("x")
    assert images.context_files(tmp_path) == {"sample/app.py": b"x"}


def test_layers_are_read_from_a_build_but_never_what_from_names() -> None:
    output = (
        "Step 1/3 : FROM debian:trixie-slim AS code\n ---> 111111111111\n"
        "Step 2/3 : RUN true\n ---> Running in 222222222222\nRemoving intermediate container 222222222222\n"
        " ---> 333333333333\n"
        "Step 3/3 : COPY x y\n ---> Using cache\n ---> 444444444444\n"
        "Successfully built 444444444444\n"
    )
    assert images.layers(output) == ["333333333333", "444444444444"]


def test_every_image_of_the_catalogue_can_be_built(tmp_path: Path) -> None:
    found = [*catalogue.services(StateDirectory(tmp_path)), *catalogue.published(StateDirectory(tmp_path))]
    found += [catalogue.host(release) for release in bases.RELEASES]
    known = {image.name for image in found} | set(bases.RELEASES)
    for image in found:
        assert catalogue.buildable(image), image.name
        assert image.base in known
        assert image.after in {"", *known}


def test_no_two_images_go_into_one_repository_at_the_same_time(tmp_path: Path) -> None:
    last: dict[str, str] = {}
    for image in catalogue.published(StateDirectory(tmp_path)):
        for repository in {reference.rpartition(":")[0] for reference in image.publish}:
            assert image.after == last.get(repository, "")
            last[repository] = image.name


def test_images_are_published_under_their_names(tmp_path: Path) -> None:
    published = {reference for image in catalogue.published(StateDirectory(tmp_path)) for reference in image.publish}
    assert {"library/postgres:15-alpine", "library/redis:7-alpine", "library/nginx:alpine"} <= published
    assert "library/eclipse-mosquitto:2" in published
    for name in ("backend", "mobile-backend", "customer-portal", "frontend"):
        assert {f"petcare/{name}:1.0.0", f"petcare/{name}:1.1.0"} <= published
    assert {"integrated/app:1.0.0", "integrated/app:1.1.0"} <= published


def test_mmdebstrap_gets_security_updates_and_the_machines_settings() -> None:
    command = bases.mmdebstrap_command(
        "trixie", "/x.tar", ['Acquire::Check-Date "false";'], ("http://m/debian", "http://m/debian-security")
    )
    assert '--aptopt=Acquire::Check-Date "false";' in command
    assert "deb http://m/debian-security trixie-security main" in command
    assert command.index("trixie") + 1 == command.index("/x.tar")
