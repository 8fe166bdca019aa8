#!/usr/bin/env bash
# Process 1 of the node that up.sh starts: everything mounted and configured here is private and goes away with it.
# The working folder is the state folder; NODE is the name of the node.
set -euo pipefail
mount --make-rshared / # pods with mountPropagation need a shared root
hostname "$NODE"

cgroups_mount() {
  local one
  local -a controllers
  mount -t sysfs sysfs /sys # one of this network namespace
  if grep -q '^v2 ' cgroups; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    read -r -a controllers </sys/fs/cgroup/cgroup.controllers
    for one in "${controllers[@]}"; do
      echo "+$one" >/sys/fs/cgroup/cgroup.subtree_control || true
    done
    return
  fi
  mount -t tmpfs tmpfs /sys/fs/cgroup
  while read -r controllers _; do # rooted at our groups: this is a cgroup namespace
    mkdir "/sys/fs/cgroup/${controllers#name=}"
    case $controllers in
      name=*) mount -t cgroup -o "none,$controllers" cgroup "/sys/fs/cgroup/${controllers#name=}" ;;
      *) mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers" ;;
    esac
    for one in ${controllers//,/ }; do
      [ -e "/sys/fs/cgroup/${one#name=}" ] || ln -s "$controllers" "/sys/fs/cgroup/$one"
    done
  done <cgroups
}

folders_mount() {
  mount -t tmpfs tmpfs /run
  mkdir -p /run/lock /run/containerd
  local p
  for p in kubelet containerd cni; do
    mkdir -p "/var/lib/$p"
    mount --bind "$p" "/var/lib/$p"
  done
  mkdir -p /var/log/pods /var/log/containers
  mount -t tmpfs tmpfs /var/log/containers
  mount --bind podlogs /var/log/pods
}

# kubelet would rewrite these settings of the whole machine; it is shown files that hold what it wants.
sysctls_hide() {
  local entry f
  for entry in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    [ -e "/proc/sys/${entry%=*}" ] || continue
    f=fake/${entry%=*}
    mkdir -p "$(dirname "$f")"
    echo "${entry#*=}" >"$f"
    mount --bind "$f" "/proc/sys/${entry%=*}"
  done
}

# Everything has documentation addresses: node 198.51.100.10, pods 198.51.100.128/25, services 203.0.113.0/24. kubelet
# refuses loopback as the node's address, so a bridge without ports carries it. Without a route to the services'
# addresses, connecting to one from the node would fail before its destination is translated.
network_make() {
  ip link set lo up
  ip link add node0 type bridge
  ip addr add 198.51.100.10/25 dev node0
  ip link set node0 up
  ip route add 203.0.113.0/24 dev node0
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

cgroups_mount
folders_mount
sysctls_hide
network_make
touch run/ready
trap 'exit 0' TERM
while :; do # bash as process 1 reaps what is orphaned
  sleep 3600 &
  wait
done
