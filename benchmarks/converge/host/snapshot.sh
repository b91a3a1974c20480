#!/bin/bash
# Prints what a contestant's run left, one resource a line, to be compared between contestants; run as root, on the host.
# Usage: snapshot.sh PACKAGE... -- PATH...
set -euo pipefail
export LC_ALL=C

while [[ $1 != -- ]]; do
    printf 'package %s %s\n' "$1" "$(dpkg-query --show --showformat '${db:Status-Status}' "$1")"
    shift
done
shift
for path in "$@"; do
    if [[ -d $path ]]; then
        printf 'directory %s %s\n' "$path" "$(stat --format '%a %U:%G' "$path")"
    else
        printf 'file %s %s %s\n' "$path" "$(stat --format '%a %U:%G' "$path")" "$(sha256sum < "$path" | cut -d ' ' -f 1)"
    fi
done
for user in benchrun benchops; do
    printf 'user %s %s %s\n' "$user" "$(getent passwd "$user" | cut -d : -f 7)" "$(id -nG "$user" | tr ' ' '\n' | sort | tr '\n' ' ')"
done
keys=/home/benchops/.ssh/authorized_keys
printf 'keys %s %s\n' "$(stat --format '%a %U' "$keys")" "$(grep -c '^ssh-ed25519 ' "$keys")"
for parameter in net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.core.somaxconn; do
    printf 'sysctl %s %s, after a reboot %s\n' "$parameter" "$(sysctl -n "$parameter")" \
        "$(sed -nE "s/^$parameter *= *//p" /etc/sysctl.d/90-bench.conf)"
done
for unit in bench-worker.service bench-report.timer logrotate.timer; do
    printf 'unit %s %s %s\n' "$unit" "$(systemctl is-enabled "$unit")" "$(systemctl is-active "$unit")"
done
