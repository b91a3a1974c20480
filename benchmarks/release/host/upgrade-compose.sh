#!/usr/bin/env bash
# The usual way: name the new version, bring the project up, wait until everything is healthy.
# Usage: upgrade-compose.sh VERSION
set -euo pipefail
cd /opt/release-bench/compose
sed -i "s/^PETCARE_VERSION=.*/PETCARE_VERSION=$1/" .env
docker compose up --detach --wait
