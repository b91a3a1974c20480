#!/bin/bash
# Takes everything off the host again that a contestant brought; run as root, on the host. Usage: reset.sh PACKAGE...
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

units=(bench-worker.service bench-report.timer bench-report.service logrotate.timer)
for unit in "${units[@]}"; do
    if [[ $(systemctl show --property LoadState --value "$unit") == loaded ]]; then
        systemctl disable --quiet --now "$unit"
    fi
done

# A host of the wider scope has an engine and nginx, and they stay.
if [[ -f /var/tmp/bench/nginx.conf ]]; then
    cp /var/tmp/bench/nginx.conf /etc/nginx/nginx.conf
    rm -rf /etc/nginx/bench-sites /etc/nginx/composeops /etc/ssl/bench /var/www/composeops-acme
    systemctl restart nginx.service
    mine=label=com.docker.compose.project=bench
    docker ps --all --quiet --filter "$mine" | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
    docker network ls --quiet --filter "$mine" | xargs --no-run-if-empty docker network rm > /dev/null
    docker volume ls --quiet --filter "$mine" | xargs --no-run-if-empty docker volume rm > /dev/null
fi

installed=()
for package in "$@"; do
    if [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null) == installed ]]; then
        installed+=("$package")
    fi
done
if ((${#installed[@]})); then
    apt-get purge -y -qq --auto-remove "${installed[@]}" > /dev/null
fi

rm -rf /srv/bench /etc/bench /opt/bench /etc/systemd/system/bench-{worker.service,report.service,report.timer} \
    /etc/profile.d/bench.sh /etc/sysctl.d/90-bench.conf \
    /etc/composeops /var/lib/composeops /root/.ansible /home/ops/.ansible /tmp/pyinfra-* /root/.pyinfra /home/ops/.pyinfra
for user in benchrun benchops; do
    if id "$user" > /dev/null 2>&1; then
        userdel "$user"
        rm -rf "/home/${user:?}"
    fi
done
if getent group bench > /dev/null; then
    groupdel bench
fi
sysctl --quiet --load /var/tmp/bench/sysctl
systemctl daemon-reload
systemctl reset-failed
# What was written is on the disk before the next contestant is measured.
sync
