# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files travel with a compose file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.plugin_utils.compose_files import (
    Companions,
    ComposeFileProblem,
    override_beside,
)


def system(root: Path, **files: str) -> Path:
    """Write files, whose names have __ for / and _dot_ for a dot, and return the compose file."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "compose.yaml"


def found(compose: Path, **environment: str) -> list[str]:
    paths = Companions(lambda path: Path(path).read_text(), environment).of(str(compose))
    return [os.path.relpath(path, compose.parent) for path in paths]


CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    "none": ({"compose_dot_yaml": "services: {web: {image: a}}"}, []),
    "values beside it": ({"compose_dot_yaml": "services: {web: {image: a}}", "_dot_env": "A=1"}, [".env"]),
    "an env_file": ({"compose_dot_yaml": "services: {web: {env_file: a.env}}", "a_dot_env": ""}, ["a.env"]),
    "several, one of which may be missing": (
        {
            "compose_dot_yaml": "services: {web: {env_file: [./a.env, {path: b.env, required: false}, {path: c.env}]}}",
            "a_dot_env": "",
            "c_dot_env": "",
        },
        ["a.env", "c.env"],
    ),
    "an extended file, and what that names": (
        {
            "compose_dot_yaml": "services: {web: {extends: {file: common/base.yaml, service: b}}}",
            "common__base_dot_yaml": "services: {b: {env_file: b.env}}",
            "common__b_dot_env": "",
        },
        ["common/base.yaml", "common/b.env"],
    ),
    "an extended service of the file itself": ({"compose_dot_yaml": "services: {web: {extends: {service: b}}}"}, []),
    "an included file with values beside it": (
        {
            "compose_dot_yaml": "include: [sub/compose.yaml]",
            "sub__compose_dot_yaml": "services: {a: {image: a}}",
            "sub__dot_env": "",
            "sub___dot_env": "",
        },
        ["sub/compose.yaml", "sub/.env"],
    ),
    "an included file that starts elsewhere": (
        {
            "compose_dot_yaml": "include: [{path: [sub/a.yaml], project_directory: ., env_file: i.env}]",
            "sub__a_dot_yaml": "services: {a: {env_file: a.env}}",
            "a_dot_env": "",
            "i_dot_env": "",
        },
        ["sub/a.yaml", "a.env", "i.env"],
    ),
    "files that name each other": (
        {
            "compose_dot_yaml": "services: {web: {extends: {file: other.yaml, service: b}}}",
            "other_dot_yaml": "services: {b: {extends: {file: compose.yaml, service: c}}}",
        },
        ["other.yaml"],
    ),
    "a name with a variable": (
        {"compose_dot_yaml": "services: {web: {env_file: '${STAGE}.env'}}", "live_dot_env": ""},
        ["live.env"],
    ),
    "absolute paths are the host's": ({"compose_dot_yaml": "services: {web: {env_file: /etc/a.env}}"}, []),
    "compose's own tags": ({"compose_dot_yaml": "services: {web: {ports: !reset [], env_file: a}}", "a": ""}, ["a"]),
    "merged keys": (
        {"compose_dot_yaml": "x-a: &a {env_file: a}\nservices: {web: {<<: *a, image: b}}", "a": ""},
        ["a"],
    ),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES.keys())
def test_collects(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert found(system(tmp_path, **files), STAGE="live") == expected


REFUSED = {
    "a missing file": (
        "services:\n  web:\n    env_file: a.env\n",
        "compose.yaml line 3 names a.env under env_file, which is not there. Write the file or write `{path: ...,"
        " required: false}`, or leave it out.",
    ),
    "a missing compose file": (
        "include:\n  - sub/compose.yaml\n",
        "compose.yaml line 2 names sub/compose.yaml under include, which is not there. Write the file, or leave it"
        " out.",
    ),
    "a file above": (
        "services:\n  web:\n    extends:\n      file: ../base.yaml\n",
        "compose.yaml line 4 names ../base.yaml under extends, which lies above the compose file and cannot have the"
        " same path on the host. Put it beside the compose file, or below it.",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ComposeFileProblem) as raised:
        found(system(tmp_path, compose_dot_yaml=text))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("compose", "override", "expected"),
    [
        ("compose.yaml", "compose.override.yaml", "compose.override.yaml"),
        ("docker-compose.yml", "docker-compose.override.yml", "docker-compose.override.yml"),
        ("petcare.yaml", "compose.override.yaml", ""),
        ("compose.yaml", "compose.test.yaml", ""),
    ],
)
def test_knows_what_would_have_been_merged(tmp_path: Path, compose: str, override: str, expected: str) -> None:
    for name in (compose, override):
        (tmp_path / name).touch()
    assert override_beside(str(tmp_path / compose)) == expected
