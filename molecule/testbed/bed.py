"""Bringing the bed up: which steps there are and what each needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace

import docker

from testbed import (
    acme,
    bases,
    capabilities,
    catalogue,
    database,
    engine,
    firewall,
    hosts,
    images,
    inventory,
    names,
    network,
    pki,
    registry,
    steps,
    store,
)
from testbed.errors import BedError
from testbed.images import Image
from testbed.progress import Progress
from testbed.state import State, StateDirectory
from testbed.steps import UNCHANGED, Step


class Bed:
    """A bed in its state directory, with the engine it lives in."""

    def __init__(self, directory: StateDirectory, progress: Progress) -> None:
        self.directory = directory
        self.progress = progress

    def up(self, host_names: Mapping[str, str], *, engine_choice: str, source: str) -> None:
        """`host_names` are the hosts to have, each with the system that it is for."""
        state = self.directory.load_or_create()
        for name, system in host_names.items():
            if name not in state.hosts:
                state.hosts[name] = hosts.record(state, name, hosts.DEFAULT_RELEASE, system=system)
            elif state.hosts[name].system != system:
                raise BedError(
                    f"{name} exists for the system {state.hosts[name].system}, not for {system}.",
                    f"`bed host remove {name}` first, or choose another name.",
                )
        client = engine.ensure(self.directory, state, engine_choice, self.progress)
        bases.prepare(bases.choose_source(client, self.directory, state, source, self.progress), self.progress)
        hosts.ensure_key(self.directory)
        self.directory.save(state)
        changed = steps.run(self._steps(client, state, list(state.hosts), whole=True), self.progress)
        written = inventory.write(self.directory, state)
        self.progress.say(f"inventories in {self.directory.path}: {', '.join(written)}")
        self.progress.say("the bed is up" + ("" if changed else ": there was nothing to do"))

    def add_host(self, name: str, release: str, aliases: Sequence[str], system: str) -> None:
        state, client = self.opened()
        known = state.hosts.get(name)
        wanted = hosts.record(state, name, release, aliases, system)
        if known is not None and replace(known, number=wanted.number) != wanted:
            raise BedError(
                f"{name} exists with Debian {known.release} for {known.system}, named {', '.join(known.aliases)}.",
                f"`bed host remove {name}` first, or choose another name.",
            )
        if known is None:
            state.hosts[name] = wanted
            self.directory.save(state)
        steps.run(self._steps(client, state, [name], whole=False), self.progress)
        inventory.write(self.directory, state)
        self.progress.say(f"{name} is up; its inventory is {self.directory.path}/{inventory.folder(name)}")

    def forget(self, state: State, name: str) -> None:
        """Remove a host from the record, and its files; its containers are gone already."""
        del state.hosts[name]
        self.directory.save(state)
        hosts.write_ssh_files(self.directory, state)
        for folder in (f"hosts/{name}", f"acme/{name}", f"database/{name}", inventory.folder(name)):
            shutil.rmtree(self.directory / folder, ignore_errors=True)
        (self.directory / acme.root_file(name)).unlink(missing_ok=True)

    def opened(self) -> tuple[State, docker.DockerClient]:
        """The bed as it is, its engine started where it is the bed's own."""
        state = self.directory.load()
        if state is None or state.engine is None or state.source is None:
            raise BedError(f"There is no bed in {self.directory.path}.", "Run `bed up` first.")
        return state, engine.ensure(self.directory, state, "auto", self.progress)

    def _steps(self, client: docker.DockerClient, state: State, wanted: Sequence[str], *, whole: bool) -> list[Step]:
        """Every step towards the wanted hosts; `whole` adds the store, the registry and what is in it."""
        directory = self.directory

        def base(release: str) -> Step:
            return Step(f"image {release}", lambda: bases.ensure(client, directory, state, release))

        def built(image: Image) -> Step:
            needs = (f"image {image.base}", *([f"image {image.after}"] if image.after else []))
            if image.upstream and state.source == "hub":
                return Step(image.step, lambda: bases.ensure_upstream(client, directory, state, image))
            return Step(image.step, lambda: images.ensure(client, directory, state, image), needs)

        def host(name: str) -> list[Step]:
            release = state.hosts[name].release
            databases = [name] if database.wanted_by(state, name) else []
            return [
                *(
                    Step(
                        f"database for {one}",
                        lambda: database.ensure(client, directory, state, name),
                        ("image postgres", "network", "certificates"),
                    )
                    for one in databases
                ),
                Step(
                    f"acme for {name}",
                    lambda: acme.ensure(client, directory, state, name),
                    ("image acme", "network", "certificates"),
                ),
                Step(
                    f"host {name}",
                    lambda: hosts.ensure(client, directory, state, name, self.progress),
                    (
                        *(f"image host-{release}", f"acme for {name}", "capabilities"),
                        *(f"database for {one}" for one in databases),
                    ),
                ),
            ]

        releases = {state.hosts[name].release for name in wanted}
        own_images = [image for image in catalogue.services(directory) if whole or image.name == "acme"]
        own_images += [catalogue.host(release) for release in sorted(releases)]
        # The default release carries the services.
        base_names = {"trixie", *releases}
        if not whole and any(database.wanted_by(state, name) for name in wanted):
            own_images += [image for image in catalogue.upstream(directory) if image.name == "postgres"]
            base_names.add("bookworm")
        found = [
            Step("network", lambda: self._network(client, state)),
            Step("certificates", self._certificates),
            Step("capabilities", lambda: self._capabilities(client, state), ("image trixie",)),
        ]
        if whole:
            base_names.add("bookworm")
            published = [image for image in catalogue.published(directory) if self._exists(image)]
            own_images += published
            found += [
                Step("registry", lambda: registry.ensure(client, directory, state), ("image registry", "network")),
                Step(
                    "s3",
                    lambda: store.ensure(client, directory, state),
                    ("image s3", "network", "certificates"),
                ),
            ]
            for image in published:
                found.append(self._publication(client, state, image))
        found += [base(release) for release in ("trixie", "bookworm") if release in base_names]
        found += [built(image) for image in own_images]
        for name in wanted:
            found += host(name)
        return found

    def _publication(self, client: docker.DockerClient, state: State, image: Image) -> Step:
        return Step(
            f"publish {image.name}",
            lambda: registry.publish(client, self.directory, state, image),
            (image.step, "registry", *([f"publish {image.after}"] if image.after else [])),
        )

    def _exists(self, image: Image) -> bool:
        if catalogue.buildable(image):
            return True
        self.progress.say(f"{image.step}: skipped, {images.FOLDER / image.folder} has no Dockerfile")
        return False

    def _network(self, client: docker.DockerClient, state: State) -> str:
        result = network.ensure(client, self.directory, state)
        assert state.network is not None and state.engine is not None
        if state.engine.private and firewall.ensure(state.id, state.network):
            result = result or "firewall rules restored"
        return result

    def _certificates(self) -> str:
        """Made before anything runs in parallel: two threads must not both make the authority."""
        pki.ensure_ca(self.directory)
        return UNCHANGED

    def _capabilities(self, client: docker.DockerClient, state: State) -> str:
        if state.privileged is not None:
            return UNCHANGED
        state.privileged = capabilities.probe_privileged(client, state.id, names.image(state.id, "trixie"))
        self.directory.save(state)
        version = capabilities.detect(client, privileged=state.privileged).cgroup_version
        way = "--privileged works" if state.privileged else "--privileged does not work, listing capabilities"
        return f"{way}; cgroup version {version}"
