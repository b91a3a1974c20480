"""The images of the bed."""

from __future__ import annotations

import hashlib

from testbed import machine, program, weed, wheel_programs, wheels
from testbed.images import FOLDER, Files, Image, context_files
from testbed.state import StateDirectory

SAMPLE_VERSIONS = ("1.0.0", "1.1.0")
SAMPLE_NAMES = (
    *("petcare/backend", "petcare/mobile-backend", "petcare/customer-portal"),
    *("zviewer/main-server", "zviewer/media-service", "zviewer/comments-service"),
    *("zviewer/payments-service", "zviewer/admin-service"),
    "reflexapp/app",
    *("sagacity/backend", "sagacity/worker"),
)


def host_extra() -> Files:
    """The machine's extra authorities, so that a host behind the same proxy trusts what this machine trusts."""
    certificates = machine.read_extra_certificates()
    return {f"certificates/{fingerprint[:16]}.crt": text.encode() for fingerprint, text in certificates.items()}


def host(release: str) -> Image:
    return Image(name=f"host-{release}", folder="host", base=release, extra=host_extra)


def services(directory: StateDirectory) -> list[Image]:
    return [
        Image(name="registry", folder="registry", base="trixie"),
        Image(name="acme", folder="acme", base="trixie"),
        Image(name="s3", folder="s3", base="trixie", extra=lambda: weed.files(directory)),
    ]


def upstream(directory: StateDirectory) -> list[Image]:
    """Images that production names from Docker Hub, under those names."""
    return [
        Image(
            name="postgres",
            folder="postgres",
            base="bookworm",
            publish=("library/postgres:15-alpine",),
            upstream="postgres:15-alpine",
        ),
        Image(
            name="postgres-17",
            folder="postgres",
            base="trixie",
            arguments={"MAJOR": "17"},
            publish=("library/postgres:17-alpine",),
            upstream="postgres:17-alpine",
            after="postgres",
        ),
        Image(
            name="redis",
            folder="redis",
            base="bookworm",
            publish=("library/redis:7-alpine",),
            upstream="redis:7-alpine",
        ),
        Image(
            name="nginx",
            folder="nginx",
            base="bookworm",
            publish=("library/nginx:alpine",),
            upstream="nginx:alpine",
        ),
        Image(
            name="mosquitto",
            folder="mosquitto",
            base="bookworm",
            publish=("library/eclipse-mosquitto:2",),
            upstream="eclipse-mosquitto:2",
        ),
        # Not MongoDB: where Docker Hub does not answer, nothing carries that.
        Image(
            name="mongo-stand-in",
            folder="mongo-stand-in",
            base="bookworm",
            publish=("library/mongo:7",),
            upstream="mongo:7",
        ),
        Image(
            name="traefik",
            folder="traefik",
            base="bookworm",
            publish=("library/traefik:v3.7",),
            upstream="traefik:v3.7",
            extra=lambda: {"traefik": wheel_programs.program(directory, "traefik", "traefik").read_bytes()},
        ),
        Image(
            name="consul",
            folder="consul",
            base="bookworm",
            publish=("library/consul:1.8",),
            upstream="consul:1.8",
        ),
        # Not Kong, and under a name of its own.
        Image(
            name="gateway-stand-in",
            folder="gateway-stand-in",
            base="trixie",
            publish=("zviewer/gateway-stand-in:1",),
        ),
    ]


def applications() -> list[Image]:
    """The applications that the sample application plays, two versions each.

    The second comes after the first: it shares its layers, and a registry takes two pushes into one repository badly.
    """
    found = []
    before: dict[str, str] = {}
    for version in SAMPLE_VERSIONS:
        references = tuple(f"{name}:{version}" for name in SAMPLE_NAMES)
        for folder, base, publish in (
            ("sample", "bookworm", references),
            ("petcare-frontend", "nginx", (f"petcare/frontend:{version}", f"sagacity/frontend:{version}")),
        ):
            image = Image(
                name=f"{folder}-{version}",
                folder=folder,
                base=base,
                arguments={"VERSION": version, **(origin(version) if folder == "sample" else {})},
                publish=publish,
                after=before.get(folder, ""),
            )
            before[folder] = image.name
            found.append(image)
    return found


def integrated(directory: StateDirectory) -> list[Image]:
    """The integrated system's one image, two versions: its own code, and what it shares with the sample application."""

    def extra() -> Files:
        shared = {f"sample/{name}": content for name, content in context_files(FOLDER / "sample" / "sample").items()}
        return {**shared, **wheels.files(directory, "integrated"), **program.files()}

    found: list[Image] = []
    for version in SAMPLE_VERSIONS:
        image = Image(
            name=f"integrated-{version}",
            folder="integrated",
            base="bookworm",
            arguments={"VERSION": version},
            publish=(f"integrated/app:{version}",),
            extra=extra,
            after=found[-1].name if found else "",
        )
        found.append(image)
    return found


def published(directory: StateDirectory) -> list[Image]:
    """Every image that the bed's registry has."""
    return [*upstream(directory), *applications(), *integrated(directory)]


def origin(version: str) -> dict[str, str]:
    """What the build of an application records of where it came from; made up, and the same each time."""
    return {"GIT_COMMIT": hashlib.sha256(version.encode()).hexdigest()[:8], "BUILD_DATE": "2026-01-01T00:00:00Z"}


def buildable(image: Image) -> bool:
    return (FOLDER / image.folder / "Dockerfile").is_file()
