"""The other ways to run the system: with Kong as the gateway, and for development. Neither is left on the host."""

from __future__ import annotations

import json
import re

from tests.integration.bed_host import ROOT, BedHost
from tests.support.outside import Outside
from tests.support.zviewer import DEVELOPMENT, INVENTORY, instances, version

DIRECTORY = "/run/composeops-test-kong"
PUBLISHED = (8000, 8001, 8002, 8500)


def test_zvw_02_compose_takes_the_definition_of_kong_which_is_not_run(operator: BedHost) -> None:
    files = ("compose.yaml", "gateway.kong.yaml", "files/gateway/start.sh")
    text = {name: (INVENTORY / name).read_text(encoding="utf-8") for name in files}
    values = {**dict.fromkeys(re.findall(r"\$\{(\w+)", "".join(text.values())), "1"), "GATEWAY": "kong"}
    values |= {"GATEWAY_IMAGE": "kong:3.9", "GATEWAY_MANAGER_LISTEN": "off"}
    for name, content in {**text, "values": "".join(f"{key}={value}\n" for key, value in values.items())}.items():
        operator.write(f"{DIRECTORY}/{name}", content)
    try:
        command = ["docker", "compose", "--project-directory", DIRECTORY, "--env-file", f"{DIRECTORY}/values"]
        rendered = json.loads(operator.output([*command, "config", "--format", "json"]))
    finally:
        operator.run(["rm", "-r", DIRECTORY], check=True)
    gateway = rendered["services"]["gateway"]
    assert gateway["image"] == "kong:3.9"
    assert gateway["entrypoint"] == ["sh", "/gateway/start.sh"]
    assert gateway["command"] == ["/docker-entrypoint.sh", "kong", "docker-start"]
    assert gateway["environment"]["KONG_DECLARATIVE_CONFIG"] == gateway["environment"]["GATEWAY_FILE"]
    assert gateway["environment"]["KONG_DATABASE"] == "off"
    assert gateway["healthcheck"]["test"] == ["CMD", "kong", "health"]


def test_zvw_07_zvw_09_development_is_one_of_each_at_the_addresses_that_developers_know(
    operator: BedHost, outside: Outside
) -> None:
    before = {found["Id"] for containers in instances(operator.output).values() for found in containers}
    run = operator.playbook(
        ROOT / "playbooks/deploy.yml",
        inventories=[INVENTORY],
        check=True,
        diff=True,
        arguments=["-e", f"@{DEVELOPMENT}"],
    )
    assert run.ok, run.output
    for service in ("gateway", "main-server", "media-service", "comments-service", "payments-service", "admin-service"):
        assert f"- create {service}" in run.output, service
    # Where the run is one of molecule's, the difference is in colours.
    lines = re.sub(r"\x1b\[[0-9;]*m", "", run.output).splitlines()
    added = "\n".join(line for line in lines if line.lstrip().startswith("+"))
    assert "development" in added
    for host_port in PUBLISHED:
        assert f'"published": "{host_port}"' in added, host_port
    # It was said, and nothing was done.
    assert {found["Id"] for containers in instances(operator.output).values() for found in containers} == before
    assert version(outside) == "1.0.0"
