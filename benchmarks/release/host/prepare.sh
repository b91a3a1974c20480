#!/usr/bin/env bash
# Prepares the host once: passwords for the rivals' databases, and every image, so that no download is measured.
# Usage: prepare.sh VERSION...
set -euo pipefail
cd /opt/release-bench

umask 077
for rival in compose roll roll-tuned; do
    if [[ -f $rival/.env ]]; then
        # Left by a run that did not come to its end.
        bash end.sh "$rival"
    fi
    cp environment "$rival/.env"
    for name in DB_PASSWORD REDIS_PASSWORD MQTT_PASSWORD JWT_SECRET JWT_REFRESH_SECRET WECHAT_APP_SECRET SMTP_PASS \
        AWS_SECRET_ACCESS_KEY SENTRY_DSN; do
        printf '%s=%s\n' "$name" "$(openssl rand -hex 24)" >> "$rival/.env"
    done
    # Mounted into containers that run as other users.
    chmod 0755 . "$rival"
    chmod -R u=rwX,go=rX "$rival/files"
done

cd compose
for version in "$@"; do
    PETCARE_VERSION=$version docker compose pull --quiet
done
