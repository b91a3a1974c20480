# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import choice

UPSTREAMS = ["my-shop-web.app-80-blue", "my-shop-web.app-80-green"]


def lines(text: list[str]) -> list[str]:
    return [line.strip() for line in text if not line.strip().startswith("#")]


def test_the_variables_of_two_stacks_are_never_the_same() -> None:
    names = ["my-shop", "my_shop", "my--shop", "my-_shop", "my_dshop", "myshop"]
    assert len({choice.colour_variable(name) for name in names}) == len(names)


FLAG = "if (-f /etc/nginx/composeops/active/shop.green) {"


def test_whether_a_canary_runs_is_asked_before_the_flag() -> None:
    """A switch sets the flag and then takes the weights away: whoever misses the weights must see the new flag."""
    text = lines(choice.of_request("shop"))
    looked_at = [line for line in text if line.startswith("if (-")]
    assert looked_at == ["if (-e /etc/nginx/composeops/active/shop.canary) {", FLAG]
    assert text[text.index(looked_at[0]) + 1] == "set $composeops_special yes;"


def test_a_canary_comes_before_the_flag_and_wins() -> None:
    """It may have ended since it was asked for: then the flag is what it left behind."""
    text = lines(choice.of_canary("shop"))
    looked_at = [line for line in text if line.startswith("if (-f")]
    canary, flag = [line for line in looked_at if ".canary/" in line], looked_at[-1]
    assert looked_at == [*canary, flag]
    assert flag == FLAG
    assert (
        text[text.index("if ($composeops_canary_shop) {") + 1] == "set $composeops_colour_shop $composeops_canary_shop;"
    )
    assert text.index("if ($composeops_canary_shop) {") > text.index(flag)


def test_only_set_stands_in_an_if() -> None:
    text = "\n".join(lines([*choice.of_request("shop"), *choice.of_canary("shop")]))
    assert re.findall(r"if \([^{]*\{\n(?!set )", text) == []


@pytest.mark.parametrize(
    ("sticky", "mark", "key"),
    [
        ("none", "by-request", "$request_id"),
        ("address", "by-address", "$remote_addr"),
        ("cookie", "by-cookie", "$composeops_client"),
    ],
)
def test_requests_are_told_apart_as_the_canary_that_runs_asks(sticky: str, mark: str, key: str) -> None:
    text = lines(choice.of_canary("shop"))
    assert text[text.index(f"if (-f /etc/nginx/composeops/active/shop.canary/{mark}) {{") + 1] == (
        f"set $composeops_told_shop {sticky};"
    )
    assert f"{sticky} {key};" in lines(choice.of_host("shop", UPSTREAMS))


def test_there_are_a_hundred_shares_of_one_percent() -> None:
    text = lines(choice.of_host("shop", UPSTREAMS))
    begin = text.index('split_clients "$composeops_key_shop shop" $composeops_share_shop {')
    assert text[begin + 1 : begin + 102] == [*(f"1% {number};" for number in range(99)), "* 99;", "}"]


def test_nothing_is_logged_or_remembered_without_a_canary() -> None:
    """Empty for requests that lead elsewhere, and empty while ``told`` is, which only a canary's files set."""
    text = lines(choice.of_host("my-shop", UPSTREAMS))
    assert 'set $composeops_told_my_dshop "";' in lines(choice.of_request("my-shop"))
    begin = text.index("map $composeops_told_my_dshop $composeops_tried_my_dshop {")
    assert text[begin + 1 : begin + 4] == ['"" "";', "default $composeops_asked_my_dshop;", "}"]
    begin = text.index("map $proxy_host $composeops_asked_my_dshop {")
    assert text[begin + 1 : begin + 3] == [
        'default "";',
        r'"~^(my-shop-web\.app-80-blue|my-shop-web\.app-80-green)$" $composeops_told_my_dshop;',
    ]
    assert text[-1] == (
        "access_log /var/log/nginx/composeops-my-shop.log composeops_canary_my-shop if=$composeops_tried_my_dshop;"
    )
    begin = text.index("map $composeops_tried_my_dshop $composeops_cookie_my_dshop {")
    assert text[begin + 1 : begin + 4] == ['default "";', "cookie $composeops_new_cookie;", "}"]


def test_the_cookie_that_is_given_is_what_its_own_request_is_counted_by() -> None:
    known, given = "\n".join(choice.CLIENT).split("map $cookie_composeops_release $composeops_new_cookie")
    assert "default $request_id;" in known
    assert '"composeops_release=$request_id; Path=/; Secure; HttpOnly; SameSite=Lax";' in given


def test_check_mode_lets_nginx_make_no_log() -> None:
    tree = {
        "canary-shop.conf": "\n".join(choice.of_host("shop", UPSTREAMS)),
        "sites/a.conf": "access_log /srv/own.log;",
    }
    tried = choice.without_logs(tree)
    assert "access_log /dev/null composeops_canary_shop if=$composeops_tried_shop;" in tried["canary-shop.conf"]
    assert "/var/log" not in tried["canary-shop.conf"]
    assert tried["sites/a.conf"] == tree["sites/a.conf"]
