# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.filter.gateway import FilterModule

gateway_configuration = FilterModule().filters()["gateway_configuration"]
DECLARED: dict[str, Any] = {"services": [{"name": "main-server", "port": 3000, "paths": ["/api/"]}]}


class Tagged(str):
    """A text as Ansible hands it out."""


def test_zvw_02_one_declaration_serves_both_gateways() -> None:
    kong, nginx = (gateway_configuration(DECLARED, kind) for kind in ("kong", "nginx"))
    assert yaml.safe_load(kong)["services"][0]["routes"][0]["paths"] == ["/api/"]
    assert "location /api/ {" in nginx


def test_texts_of_ansible_are_texts() -> None:
    tagged = {"services": [{Tagged("name"): Tagged("main-server"), "port": 3000, "paths": (Tagged("/api/"),)}]}
    assert gateway_configuration(tagged, "kong") == gateway_configuration(DECLARED, "kong")


def test_unknown_gateway_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match=r"no gateway 'envoy'\. Write kong or nginx"):
        gateway_configuration(DECLARED, "envoy")


def test_wrong_declaration_is_refused_on_the_controller() -> None:
    with pytest.raises(AnsibleFilterError, match="has no services"):
        gateway_configuration({"services": []}, "kong")
