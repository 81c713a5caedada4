#!/usr/bin/env bash
# The demo: the main job on curriculum.example, with a database of its own in .demo. Run it with `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

unset CURRI_DATABASE_URL DATABASE_URL
export CURRI_HOME="$PWD/.demo/home"
mkdir -p .demo
rm -rf .demo/curriculum
cp -R curriculum.example .demo/curriculum

run() {
    printf '\n\033[1m$ %s\033[0m\n' "$*"
    "$@"
}

curri db downgrade base --yes --quiet # a second demo begins like the first
run curri db upgrade
run curri import .demo/curriculum
run curri import .demo/curriculum
run mv .demo/curriculum/Course_01/Lesson_03 .demo/curriculum/Course_01/Lesson_04
run curri import .demo/curriculum
run curri status
printf '\nThat was it. The curriculum is in .demo/curriculum: change something there, then go on with\n\n'
printf '    export CURRI_HOME=%q PATH=%q:$PATH\n' "$CURRI_HOME" "$PWD/.venv/bin"
printf '    curri import .demo/curriculum\n'
