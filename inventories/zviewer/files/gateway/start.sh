#!/bin/sh
# Writes the gateway's configuration to memory, with each @NAME@ replaced by the secret of that name, and starts it.
set -eu
umask 077

replacements() {
    for file in /run/secrets/gateway_key_*; do
        name=$(basename "$file" | tr '[:lower:]' '[:upper:]')
        key=$(cat "$file")
        case $key in
            '' | *[!A-Za-z0-9_-]*)
                echo "start.sh: $name may have letters, digits, _ and - only" >&2
                return 1
                ;;
        esac
        # printf belongs to the shell: no key is among the arguments of a process.
        printf 's|@%s@|%s|g\n' "$name" "$key"
    done
}

script=$(replacements)
printf '%s\n' "$script" | sed -f /dev/stdin /gateway/template > "$GATEWAY_FILE"
exec "$@"
