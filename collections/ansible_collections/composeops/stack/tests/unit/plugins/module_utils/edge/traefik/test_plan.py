# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import parse_sites, service_targets
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.plan import make_plan, stages
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.render import Host, render
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice


def tree(*services: str, colour: str = "blue", stack: str = "shop") -> dict[str, str]:
    """Files of a host whose paths lead to these services."""
    routes = [
        {"path": f"/{number}", "stack": stack, "service": service, "port": 80}
        for number, service in enumerate(services)
    ]
    sites = parse_sites([{"name": "a.test", "routes": routes}])
    endpoints = {target: {"blue": ["127.0.0.1:1"], "green": ["127.0.0.1:2"]} for target in service_targets(sites)}
    return render(sites, Host(endpoints, {stack: Choice(colour)}))


def services_of(text: str) -> set[str]:
    return {name for name in traefik_file.parse(text)[1]["services"] if name.endswith("-80")}


def test_nothing_to_change() -> None:
    assert make_plan(tree("web"), tree("web")).files == ()
    assert stages(tree("web"), tree("web")) == []


def test_what_changes_is_told_by_name() -> None:
    assert make_plan(tree("web"), {}).sentences == ["add the sites", "add services of stack shop"]
    plan = make_plan(tree("web", stack="blog"), tree("web"))
    assert plan.sentences == ["change the sites", "add services of stack blog", "remove services of stack shop"]
    assert [entry["after_header"] for entry in plan.diff("/d")] == [
        "/d/sites.yml",
        "/d/stack-blog.yml",
        "/d/stack-shop.yml",
    ]


def test_on_a_bare_host_services_come_before_what_leads_to_them() -> None:
    first, second = stages(tree("web"), {})
    assert sorted(first) == ["stack-shop.yml"]
    assert second == tree("web")


def test_a_path_that_moves_to_another_service_leads_somewhere_all_the_time() -> None:
    before, wanted = tree("web"), tree("api")
    first, second, third = stages(wanted, before)
    both = {"shop-web-80", "shop-api-80"}
    assert (first["sites.yml"], services_of(first["stack-shop.yml"])) == (before["sites.yml"], both)
    assert (second["sites.yml"], services_of(second["stack-shop.yml"])) == (wanted["sites.yml"], both)
    assert third == wanted


def test_the_stack_that_is_left_goes_last() -> None:
    before, wanted = tree("web"), tree("web", stack="blog")
    first, second, third = stages(wanted, before)
    assert sorted(first) == sorted(second) == ["sites.yml", "stack-blog.yml", "stack-shop.yml"]
    assert first["sites.yml"] == before["sites.yml"]
    assert third == wanted


def test_what_is_added_keeps_the_release_that_serves() -> None:
    for stage in stages(tree("web", "api", colour="green"), tree("web", colour="green")):
        assert traefik_file.parse(stage["stack-shop.yml"])[0] == Choice("green")
