#!/usr/bin/env bash
# Brings a rival up in one version, behind an nginx that is configured by hand.
# Usage: begin.sh RIVAL VERSION
set -euo pipefail
cd "/opt/release-bench/$1"

sed -i "s/^PETCARE_VERSION=.*/PETCARE_VERSION=$2/" .env
docker compose up --detach --wait --quiet-pull

mkdir -p /etc/nginx/release-bench
cp upstreams.conf ../sites.conf /etc/nginx/release-bench/
cp ../nginx.conf /etc/nginx/nginx.conf
nginx -t
# And not reload: the contestant before may have left workers with open WebSockets.
systemctl restart nginx.service
