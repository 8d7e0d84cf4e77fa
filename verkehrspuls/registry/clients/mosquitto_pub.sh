#!/bin/sh
# Publish one reading with mosquitto_pub, of the package mosquitto-clients.
set -eu
%tls authority=$$(mktemp)
%tls trap 'rm -f "$$authority"' EXIT
%tls cat >"$$authority" <<'END'
%tls $authority
%tls END
# the whole minute before this one
time=$$(date -u -d "@$$(($$(date +%s) / 60 * 60 - 60))" +%Y-%m-%dT%H:%M:%SZ)
mosquitto_pub --host '$host' --port $port --id '$name' \
%tls     --cafile "$$authority" \
    --username '$user' --pw '$password' --qos 1 --topic '$counts' --stdin-file <<END
{"time": "$$time", "interval_s": 60,
 "counts": [{"channel": "1", "classes": {"car": 7, "truck": 1}}]}
END
