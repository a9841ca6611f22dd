#!/bin/sh
# Renew requirements.lock: every third-party release the workspace uses, with hashes, without hosts.
#
#   sh tools/lock.sh [uv lock options, such as --upgrade or --upgrade-package NAME]
set -eu

cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv

"$uv" lock -q "$@"
"$uv" export -q --frozen --all-packages --group dev --no-emit-workspace \
    --no-header --no-annotate --output-file requirements.lock >/dev/null
if grep -n '://' requirements.lock >&2; then
    echo "mts1b lock: the lines above name a host; take them out of your uv configuration" >&2
    exit 1
fi
