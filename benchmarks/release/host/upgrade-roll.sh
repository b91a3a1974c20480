#!/usr/bin/env bash
# Scale up, then remove: each service gets a second container of the new version beside the old one, and when that is
# healthy, the old one is stopped and removed. nginx knows both ports and asks the other one when one refuses.
# Usage: upgrade-roll.sh RIVAL VERSION
set -euo pipefail
cd "/opt/release-bench/$1"
sed -i "s/^PETCARE_VERSION=.*/PETCARE_VERSION=$2/" .env

for service in backend frontend mobile-backend customer-portal; do
    old=$(docker compose ps --quiet "$service")
    docker compose up --detach --no-deps --no-recreate --scale "$service=2" "$service"
    new=$(docker compose ps --quiet "$service" | grep --invert-match "$old")
    deadline=$((SECONDS + 120))
    until [[ $(docker inspect --format '{{.State.Health.Status}}' "$new") == healthy ]]; do
        if ((SECONDS > deadline)); then
            echo "$service did not become healthy within 120 s" >&2
            exit 1
        fi
        sleep 0.5
    done
    docker stop "$old"
    docker rm "$old"
done
