#!/usr/bin/env bash
# Installs other people's programs, for the tests of tests/foreign: as far as they can be had. What cannot (no npm, no
# registry) is named, and its tests are skipped. Run it with `make foreign` or `make foreign-tools`.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:?run this with make foreign}
npm_folder=tests/foreign/node_modules
skipped=()

importable() { "$python" -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("cloudflare") and u.find_spec("tusclient")))'; }

echo "foreign: installing cloudflare, tuspy and @tus/server where they are missing"
if ! "$python" -m pip install --quiet --retries 1 --timeout 15 --constraint constraints.txt --editable '.[foreign]' \
    && ! importable; then
    skipped+=("cloudflare and tuspy: pip could not install them")
fi

if ! command -v node > /dev/null || ! command -v npm > /dev/null; then
    skipped+=("@tus/server: node and npm are not on this machine")
elif ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then
    skipped+=("@tus/server: it needs node 20.19 or newer, and this is $(node --version)")
# npm writes this file last.
elif [ ! "$npm_folder/.package-lock.json" -nt tests/foreign/package.json ] \
    && ! npm install --prefix tests/foreign --no-package-lock --omit=optional --ignore-scripts --no-audit --no-fund \
        --no-update-notifier --loglevel=error --fetch-retries=1 --fetch-timeout=15000; then
    rm -rf "$npm_folder"
    skipped+=("@tus/server: npm could not install it")
fi

for what in ${skipped[@]+"${skipped[@]}"}; do
    echo "foreign: SKIPPED $what"
done
