#!/usr/bin/env bash
# The demo: the main job on curriculum.example, with a database and a Cloudflare Stream of its own in .demo.
# Run it with `make demo`. It needs no account and leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."

unset CURRI_DATABASE_URL DATABASE_URL CLOUDFLARE_API_TOKEN_FILE
export CURRI_HOME="$PWD/.demo/home"
export CURRI_MANAGED_BY="Grammar Ops" CURRI_PROGRAM="RUDI Applied GenAI"
mkdir -p .demo
rm -rf .demo/curriculum .demo/stream .demo/sandbox
cp -R curriculum.example .demo/curriculum

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' plain=$'\033[0m'
fi
run() {
    printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@"
}

# Cloudflare Stream, played by this machine on a free port; its first line says where.
mkfifo .demo/sandbox
curri sandbox --json --port 0 --encode-seconds 2 --data .demo/stream >.demo/sandbox &
sandbox=$!
trap 'kill $sandbox 2>/dev/null; wait $sandbox 2>/dev/null; rm -f .demo/sandbox' EXIT
exec 3<.demo/sandbox
read -r told <&3
field() { python -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$told" "$1"; }
watch() { python -c 'import json, sys; print(json.loads(list(sys.stdin)[0])["playback"]["watch"])'; }
CURRI_STREAM_URL=$(field url)
CLOUDFLARE_ACCOUNT_ID=$(field account_id)
export CURRI_STREAM_URL CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_API_TOKEN=sandbox-token

curri db downgrade base --yes --quiet # a second demo begins like the first
run curri db upgrade
run curri import .demo/curriculum
run curri upload --dry-run
run curri upload
run curri sync-status --wait
run curri upload
run mv .demo/curriculum/Course_01/Lesson_03 .demo/curriculum/Course_01/Lesson_04
run curri import .demo/curriculum
run curri upload
run curri fix-metadata
run curri check
run curri explain course_01_L04_learning
run curri status

printf '\nThat was it. The curriculum is in .demo/curriculum.\n'
if [ -t 0 ] && [ -t 1 ]; then # else Stream ends here, and there is nothing to go on with
    printf '\nUntil you press Enter here, Stream goes on. To change something and send it, in another terminal:\n\n'
    printf '    cd %q\n' "$PWD"
    printf '    export CURRI_HOME=%q PATH=%q:$PATH\n' "$CURRI_HOME" "$PWD/.venv/bin"
    printf '    export CURRI_STREAM_URL=%s CLOUDFLARE_ACCOUNT_ID=%s CLOUDFLARE_API_TOKEN=sandbox-token\n' \
        "$CURRI_STREAM_URL" "$CLOUDFLARE_ACCOUNT_ID"
    printf '    curri import .demo/curriculum && curri upload\n\n'
    printf 'Watch a video, as Cloudflare would show it: %s\n' "$(curri videos list --status ready --json | watch)"
    printf 'Enter ends it all. '
    read -r _ || true
fi
