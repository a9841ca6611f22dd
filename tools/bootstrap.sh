#!/bin/sh
# Make .venv with everything this workspace needs. Needs python3 >= 3.11 and nothing else:
# no root, no packages of the system, no environment beyond PATH and HOME.
#
#   PYTHON=/path/to/python3 sh tools/bootstrap.sh
set -eu

cd "$(dirname "$0")/.."
VENV=.venv
LOCK=requirements.lock

fail() {
    echo "mts1b set-up: $*" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 && new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    named=${PYTHON:-python3}
    version=$("$named" -V 2>/dev/null) || version="not there"
    fail "needs Python 3.11 or newer, and $named is $version. Name one: make PYTHON=/path/to/python3 ..."
}

make_venv() {
    python=$(find_python) || exit 1
    echo "mts1b set-up: creating $VENV, once" >&2
    if command -v uv >/dev/null 2>&1; then
        uv venv -q --clear --python "$python" "$VENV"
    elif "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv --clear "$VENV"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --clear --without-pip "$VENV"
        seed="$python -m pip --python $VENV/bin/python"
    else
        fail "$python has neither ensurepip, nor pip, nor uv beside it: install one of them (Debian: python3-venv)."
    fi
}

# The lock's own entry for uv, hashes and all: the installer is pinned like what it installs.
locked_uv() {
    awk '/^uv==/ { on = 1 } on { print } on && !/\\$/ { exit }' "$LOCK"
}

find_uv() {
    if [ -x "$VENV/bin/uv" ]; then
        echo "$VENV/bin/uv"
    elif command -v uv >/dev/null 2>&1; then
        command -v uv
    else
        locked_uv >"$VENV/uv.lock.txt"
        ${seed:-"$VENV/bin/python" -m pip} --disable-pip-version-check install -q --no-deps \
            --require-hashes -r "$VENV/uv.lock.txt" >&2 || fail "pip could not install uv; see above."
        echo "$VENV/bin/uv"
    fi
}

# An environment that uv made has no pip before the lock is installed; then ask the system's.
pip_setting() {
    for each in "$VENV/bin/python" "${PYTHON:-python3}"; do
        "$each" -m pip config get "$1" 2>/dev/null && return
    done
    true
}

# uv does not read pip's configuration. Where pip was told of an index or of a certificate
# authority and uv was told nothing, pass that on.
borrow_pip_settings() {
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] && ! uv_configured; then
        index=$(pip_setting global.index-url)
        [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    fi
    if [ -z "${SSL_CERT_FILE:-}" ]; then
        certificates=$(pip_setting global.cert)
        [ -z "$certificates" ] || export SSL_CERT_FILE="$certificates"
    fi
}

uv_configured() {
    [ -f "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" ] || [ -f /etc/uv/uv.toml ]
}

seed=
: "${HOME:?mts1b set-up: HOME is not set}"
[ -f "$LOCK" ] || fail "$LOCK is missing; get a complete checkout."
if ! { [ -x "$VENV/bin/python" ] && new_enough "$VENV/bin/python"; }; then
    make_venv
fi
uv=$(find_uv) || exit 1
borrow_pip_settings
"$uv" pip sync -q --python "$VENV/bin/python" --require-hashes "$LOCK" ||
    fail "could not install $LOCK; see above. Nothing is half done: run it again."
set --
for member in mts1b-*/pyproject.toml; do
    set -- "$@" -e "./${member%/pyproject.toml}"
done
"$uv" pip install -q --python "$VENV/bin/python" --no-deps "$@" ||
    fail "could not install the workspace's packages; see above."
# Python compiles what it imports, once; do that now and not in the first run.
env -u PYTHONDONTWRITEBYTECODE "$VENV/bin/python" -c 'from importlib.metadata import entry_points as found
for point in found(group="mts1b.services"): point.load()' ||
    fail "the installed packages can not be imported; see above."
touch "$VENV/.ready"
