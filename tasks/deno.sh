#!/bin/sh
# deno.sh ARGUMENT...: runs Deno, the one in .tools/ or the one on PATH.
# deno.sh --install: when there is none that is new enough, fetches it from npm into .tools/; and fetches
# the packages of deno.lock.
set -eu
version=2.9.6
root=$(dirname "$(dirname "$(readlink -f "$0")")")
own=$root/.tools/node_modules/deno/deno

is_new_enough() {
  "$1" --version 2>/dev/null | awk '/^deno / { split($2, v, "."); exit !(v[1] > 2 || v[1] == 2 && v[2] >= 9) }'
}

install_deno() {
  if ! command -v npm >/dev/null; then
    echo "ckpt needs Deno 2.9 or newer: install it (https://deno.com), or npm to fetch it here" >&2
    exit 1
  fi
  echo "  NPM	deno@$version"
  npm install --loglevel=error --no-fund --no-audit --no-save --prefix "$root/.tools" "deno@$version" >/dev/null
  # The package is a launcher, which puts the program into its place when it is first run.
  "$root/.tools/node_modules/.bin/deno" --version >/dev/null
  if [ ! -x "$own" ]; then
    echo "deno@$version from npm has no program at $own" >&2
    exit 1
  fi
}

if [ "${1-}" = --install ]; then
  if [ ! -x "$own" ]; then
    found=$(command -v deno || true)
    if [ -z "$found" ] || ! is_new_enough "$found"; then install_deno; fi
  fi
  # Nothing is written when all is there: the tree may belong to another user.
  if [ ! -d "$root/node_modules/dax" ] || [ "$root/deno.lock" -nt "$root/node_modules" ]; then
    cd "$root"
    if [ -x "$own" ]; then "$own" install --quiet --frozen; else deno install --quiet --frozen; fi
    touch node_modules
  fi
  exit 0
fi

if [ -x "$own" ]; then exec "$own" "$@"; fi
if command -v deno >/dev/null; then exec deno "$@"; fi
echo "ckpt needs Deno: run make in $root, or install it (https://deno.com)" >&2
exit 1
