#!/bin/sh
# Answer names first, then run the authority that asks for them.
set -eu

# Names of the host come from files in /run/testbed/names, read again whenever one appears or changes there;
# everything else goes to the resolver that the engine gave this container.
dnsmasq --no-hosts --hostsdir=/run/testbed/names --local-ttl=0 --no-negcache --cache-size=1000 --user=root

exec pebble -config /etc/testbed/pebble.json -dnsserver 127.0.0.1:53
