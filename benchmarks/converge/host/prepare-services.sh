#!/bin/bash
# Adds what the whole host stands on: engine, nginx and images, so that no download is measured; as root, on the host.
# Usage: prepare-services.sh MIRROR MTU PACKAGE...
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
mirror=$1
mtu=$2
shift 2

mkdir -p /etc/docker
cat > /etc/docker/daemon.json << EOF
{
    "registry-mirrors": ["$mirror"],
    "mtu": $mtu,
    "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "$mtu"}}
}
EOF
apt-get install -y -qq --no-install-recommends curl "$@" > /dev/null
for image in nginx:alpine redis:7-alpine; do
    docker pull --quiet "$image" > /dev/null
done
# It claims port 80 for every name, as one of ours does.
rm -f /etc/nginx/sites-enabled/default
cp /etc/nginx/nginx.conf /var/tmp/bench/nginx.conf
