"""The same resources in pyinfra's operations. Usage: pyinfra INVENTORY pyinfra_deploy.py --yes

The whole host is left out: pyinfra's docker.compose operation runs `compose up` every time and reports a change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pyinfra import config
from pyinfra.operations import apt, files, server, systemd

config.SUDO = True

HERE = Path(__file__).parent
variables: dict[str, Any] = {}
for source in ("variables.yml", "files.yml"):
    variables.update(yaml.safe_load((HERE / source).read_text(encoding="utf-8")))

apt.packages(name="Install packages", packages=variables["bench_packages"])
server.group(name="Create the group", group=variables["bench_group"])
for user in variables["bench_users"]:
    server.user(
        name=f"Create {user['name']}",
        user=user["name"],
        system=user["system"],
        shell=user["shell"],
        groups=user["groups"],
        append=True,
        create_home=True,
        public_keys=user.get("authorized_keys"),
    )
for directory in variables["bench_directories"]:
    files.directory(
        name=f"Create {directory['path']}", path=directory["path"], user="root", group="root", mode=directory["mode"]
    )
rendered = {
    file["path"]: files.template(
        name=f"Render {file['path']}",
        src=str(HERE / "templates" / file["template"]),
        dest=file["path"],
        user="root",
        group="root",
        mode=file["mode"],
        jinja_env_kwargs={"trim_blocks": True},
        **{name: value for name, value in variables.items() if name not in ("bench_files", "bench_directories")},
    )
    for file in variables["bench_files"]
}
for parameter, value in variables["bench_sysctl"].items():
    server.sysctl(
        name=f"Set {parameter}",
        key=parameter,
        value=value,
        persist=True,
        persist_file="/etc/sysctl.d/90-bench.conf",
    )
own_units = variables["bench_own_units"]


def unit_files_changed() -> bool:
    return any(rendered[f"/etc/systemd/system/{unit}"].did_change() for unit in own_units)


systemd.daemon_reload(name="Read the unit files", _if=unit_files_changed)
for unit in (*own_units, *variables["bench_packaged_units"]):
    systemd.service(name=f"Enable and start {unit}", service=unit, enabled=True, running=True)
for unit in own_units:
    systemd.service(name=f"Restart {unit} when its file changed", service=unit, restarted=True, _if=unit_files_changed)
