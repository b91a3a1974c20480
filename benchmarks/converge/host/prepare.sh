#!/bin/bash
# Makes the bench host what every contestant starts from; run once, as root, on the host.
# Usage: prepare.sh PACKAGE... (the packages a contestant will install: downloaded here, so that no mirror is measured)
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# Work of the host's own would be measured as a contestant's.
systemctl disable --quiet --now apt-daily.timer apt-daily-upgrade.timer
systemctl stop apt-daily.service apt-daily-upgrade.service
echo 'DPkg::Lock::Timeout "120";' > /etc/apt/apt.conf.d/90-bench

apt-get update -qq
# What a Debian server has and a minimal image lacks: the `sysctl` command, which stock modules and pyinfra call.
apt-get install -y -qq --no-install-recommends procps > /dev/null
apt-get install -y -qq --download-only "$@" > /dev/null

mkdir -p /var/tmp/bench
for parameter in net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.core.somaxconn; do
    printf '%s = %s\n' "$parameter" "$(sysctl -n "$parameter")"
done > /var/tmp/bench/sysctl
