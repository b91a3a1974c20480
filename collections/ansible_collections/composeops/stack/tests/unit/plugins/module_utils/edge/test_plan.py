# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Route, ServiceTarget, Site
from ansible_collections.composeops.stack.plugins.module_utils.edge.plan import (
    FileChange,
    Observed,
    Plan,
    make_plan,
    require_endpoints,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

BACKEND = ServiceTarget("petcare", "backend", 3000)
SITE = Site("app.petcare.com", (Route("/api/", BACKEND),))
WANTED = {"policy.conf": "p", "sites/app.petcare.com.conf": "s", "upstreams/petcare.conf": "u"}
SETTLED = Observed(files=WANTED, generation=4, loaded=4, bundles=frozenset({"app.petcare.com"}))


def test_a_settled_host_needs_nothing() -> None:
    plan = make_plan([SITE], WANTED, SETTLED)
    assert plan == Plan()
    assert not plan.changed


def test_a_bare_host_gets_everything() -> None:
    plan = make_plan([SITE], WANTED, Observed())
    assert plan.sentences == [
        "make a placeholder certificate for app.petcare.com, until its own is there",
        "add shared settings policy.conf",
        "add site app.petcare.com",
        "add upstreams of stack petcare",
    ]


def test_connections_that_a_killed_run_left_draining_are_kept_open_again() -> None:
    plan = make_plan([SITE], WANTED, replace(SETTLED, draining=True))
    assert plan == Plan(end_draining=True)
    assert plan.changed
    assert plan.sentences == ["let connections be kept open again: a run was killed while it drained them"]


def test_files_are_added_changed_and_removed() -> None:
    before = {"policy.conf": "p", "sites/app.petcare.com.conf": "old", "sites/gone.test.conf": "g"}
    plan = make_plan([SITE], WANTED, replace(SETTLED, files=before))
    assert plan.files == (
        FileChange("sites/app.petcare.com.conf", "old", "s"),
        FileChange("sites/gone.test.conf", "g", None),
        FileChange("upstreams/petcare.conf", None, "u"),
    )
    assert plan.sentences == ["change site app.petcare.com", "remove site gone.test", "add upstreams of stack petcare"]


def test_the_diff_is_made_from_the_same_changes() -> None:
    plan = make_plan([SITE], WANTED, replace(SETTLED, files={**WANTED, "policy.conf": "old"}))
    assert plan.diff("/etc/nginx/composeops/live") == [
        {
            "before_header": "/etc/nginx/composeops/live/policy.conf",
            "after_header": "/etc/nginx/composeops/live/policy.conf",
            "before": "old",
            "after": "p",
        }
    ]


@pytest.mark.parametrize(
    ("loaded", "sentence"),
    [
        (3, "load the configuration: nginx still serves generation 3, not 4"),
        (None, "load the configuration: the running nginx does not answer for it"),
    ],
    ids=["killed-before-the-reload", "nginx-stopped"],
)
def test_what_is_on_disk_but_not_loaded_is_loaded(loaded: int | None, sentence: str) -> None:
    plan = make_plan([SITE], WANTED, replace(SETTLED, loaded=loaded))
    assert plan.sentences == [sentence]
    assert plan.changed


def test_a_change_of_files_includes_the_reload() -> None:
    assert make_plan([SITE], WANTED, replace(SETTLED, files={}, loaded=3)).reload == ""


def test_tls_files_follow_the_sites() -> None:
    plan = make_plan([SITE], WANTED, replace(SETTLED, bundles=frozenset({"gone.test"})))
    assert plan.placeholders == ("app.petcare.com",)
    assert plan.obsolete_bundles == ("gone.test",)
    assert plan.sentences[-1] == "remove the TLS files of gone.test, which is no longer declared"


@pytest.mark.parametrize(
    ("known", "routed"),
    [
        ([], "the stack routes nothing here"),
        ([ServiceTarget("petcare", "backend", 3001)], "the stack routes backend:3001 here"),
        ([ServiceTarget("other", "backend", 3000)], "the stack routes nothing here"),
    ],
    ids=["not-deployed", "another-port", "another-stack"],
)
def test_a_route_to_nowhere_is_named(known: list[ServiceTarget], routed: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        require_endpoints([SITE], known)
    message = str(raised.value)
    assert "site app.petcare.com, route /api/: service backend of stack petcare is not reached at port 3000" in message
    assert routed in message


def test_known_endpoints_are_accepted() -> None:
    require_endpoints([SITE], [BACKEND])
