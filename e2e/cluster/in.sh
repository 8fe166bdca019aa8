#!/usr/bin/env bash
# Runs a command inside the node that up.sh started: in its network, mounts, processes and cgroups, with KUBECONFIG set.
#
# usage: in.sh DIR COMMAND [ARGUMENT...]
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
[ $# -ge 2 ] || { say "usage: in.sh DIR COMMAND [ARGUMENT...]"; exit 2; }
back=$PWD
cd "$1"
shift
proc_alive node || die "no node is up in $PWD"
# shellcheck disable=SC1091
. run/env
while read -r version group; do
  [ "$version" != v2 ] || group=$group/node
  echo $$ >"$group/cgroup.procs"
done <cgroups
export NODE CP_BIN PATH="$CP_BIN:$PATH:/usr/sbin:/sbin" KUBECONFIG="$PWD/admin.kubeconfig" NODE_DIR="$PWD"
exec nsenter -t "$(cat run/init)" -r -m -n -p -i -u -C --wdns="$back" -- "$@"
