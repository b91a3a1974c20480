# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.lookup.operator import LookupModule, operator


@pytest.mark.parametrize(
    ("variables", "environment", "name"),
    [
        pytest.param({"awx_user_name": "ada", "tower_user_name": "x"}, {"USER": "runner"}, "ada", id="AWX"),
        pytest.param({"tower_user_name": "ada"}, {"USER": "runner"}, "ada", id="Tower"),
        pytest.param({}, {"GITLAB_USER_LOGIN": "ada", "USER": "root"}, "ada", id="GitLab"),
        pytest.param({}, {"GITHUB_ACTOR": "ada", "USER": "runner"}, "ada", id="GitHub"),
        pytest.param({}, {"SUDO_USER": "ada", "USER": "root"}, "ada", id="before sudo"),
        pytest.param({"awx_user_name": ""}, {"USER": "ada"}, "ada", id="a laptop"),
    ],
)
def test_who_runs_the_playbook(variables: dict[str, str], environment: dict[str, str], name: str) -> None:
    assert operator(variables, environment) == name


def test_the_lookup_is_given_the_variables_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    assert LookupModule().run([], variables={}) == ["ada"]
    assert LookupModule().run([], variables={"awx_user_name": "bob"}) == ["bob"]
