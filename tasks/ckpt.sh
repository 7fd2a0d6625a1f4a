#!/bin/sh
# ckpt: runs cli.ts, from build/ of a checkout or from PREFIX/bin of an installation.
set -eu
here=$(dirname "$(readlink -f "$0")")
for root in "$here/.." "$here/../.." "$here/../lib/ckpt"; do
  if [ -f "$root/cli.ts" ]; then
    root=$(readlink -f "$root")
    # The lock has done its work when the packages were installed.
    exec "$root/tasks/deno.sh" run --quiet --no-lock --cached-only -A --config "$root/deno.json" "$root/cli.ts" "$@"
  fi
done
echo "ckpt: cannot find cli.ts near $here" >&2
exit 1
