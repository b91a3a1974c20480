#!/bin/bash
# Prints what sites and compose project answer, to be compared between contestants; run as root, on the host.
# Usage: snapshot-services.sh SITE...
set -euo pipefail
export LC_ALL=C

for site in "$@"; do
    printf 'site %s: http %s, https %s\n' "$site" \
        "$(curl --silent --resolve "$site:80:127.0.0.1" --output /dev/null --write-out '%{http_code} to %{redirect_url}' "http://$site/")" \
        "$(curl --silent --resolve "$site:443:127.0.0.1" --insecure --write-out '%{http_code}' "https://$site/" | sha256sum)"
done
docker ps --filter label=com.docker.compose.project=bench \
    --format 'container {{.Label "com.docker.compose.service"}} {{.Image}} {{.State}}' | sort
