#!/usr/bin/env bash
# Ends the node that up.sh started in DIR: its process 1, hence every process and mount in it; then its groups and its data.
# Logs and images stay. Does nothing where nothing is up.
#
# usage: down.sh DIR
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
[ $# = 1 ] || { say "usage: down.sh DIR"; exit 2; }
cd "$1" 2>/dev/null || exit 0

groups_remove() { # true when none is left
  local left=0 group
  while read -r _ group; do
    [ -d "$group" ] || continue
    find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ ! -d "$group" ] || left=1
  done <cgroups
  [ $left = 0 ]
}

if proc_alive node; then
  [ ! -s run/init ] || kill -s KILL "$(cat run/init)" 2>/dev/null || true
  proc_stop node KILL
fi
if [ -f cgroups ]; then
  for _ in $(seq 50); do
    ! groups_remove || break
    sleep 0.1
  done
  groups_remove || say "down.sh: some groups of $PWD/cgroups could not be removed"
  if [ -f cgroups.added ]; then # controllers that up.sh enabled for the whole machine
    while read -r controller; do
      { echo "-$controller" >/sys/fs/cgroup/cgroup.subtree_control; } 2>/dev/null || true
    done <cgroups.added
  fi
fi
rm -rf run node-run etcd kubelet containerd podlogs fake cni etc cgroups cgroups.added ./*.kubeconfig
