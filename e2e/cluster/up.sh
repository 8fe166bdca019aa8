#!/usr/bin/env bash
# A one-node Kubernetes cluster with real containers, closed inside its own namespaces: nothing of it is seen by, or changes,
# the rest of the machine, and it goes away with one process. All state lies below DIR.
#
# usage: up.sh DIR        starts it; image archives in DIR/images/*.tar are imported. Enter with in.sh, end with down.sh
#        up.sh --check    only tells whether this machine can
# Exit code 3: a real node cannot run here; the reason is on standard error.
# env:   CP_BIN (folder of the binaries; else they are built by e2e/deps/controlplane.sh, once), APISERVER_EXTRA, KCM_EXTRA
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cannot() { say "a real node cannot run here: $*"; exit 3; }

# Asks the kernel for everything the node will need, in namespaces that vanish again. Debian keeps some tools in sbin.
check() {
  local tool reason
  [ "$(id -u)" = 0 ] || cannot "it needs root"
  [ "$(awk 'NR == 1 {print $1, $2, $3}' /proc/self/uid_map)" = "0 0 4294967295" ] ||
    cannot "this is a user namespace, whose root is not the machine's"
  for tool in containerd ctr runc ip nft conntrack openssl curl python3 unshare nsenter gcc; do
    command -v "$tool" >/dev/null || cannot "$tool is missing (e2e/deps/packages.sh build cluster installs it)"
  done
  [ -e /dev/kmsg ] || cannot "there is no /dev/kmsg, which kubelet reads"
  for tool in overlay nf_tables; do
    modprobe "$tool" 2>/dev/null || true # often part of the kernel, or loaded by itself
  done
  reason=$(unshare -C -m -p -i -u -n --fork --mount-proc bash -c '
    fail() { echo "$*"; exit 1; }
    mount -t tmpfs tmpfs /mnt || fail "mounting is not allowed"
    ip link set lo up || fail "network namespaces do not work"
    ip link add tt0 type bridge || fail "the kernel has no bridges"
    ip link add tt1 type veth peer name tt2 || fail "the kernel has no veth pairs"
    nft "add table ip tt; add chain ip tt out { type nat hook output priority -100; }" || fail "the kernel has no nftables NAT"
    mount -t sysfs sysfs /sys || fail "mounting sysfs is not allowed"' 2>/dev/null) ||
    cannot "${reason:-namespaces are not allowed}"
  cgroups_find
}

# The groups of the node, one line each: controllers as mount wants them, folder. With version 1 one below our own group
# in every hierarchy, so that the caller's limits hold for the node too; with version 2 one below the root.
cgroups_find() {
  local controllers path base
  groups=()
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    groups=("v2 /sys/fs/cgroup/$node")
    [ -w /sys/fs/cgroup/cgroup.subtree_control ] || cannot "/sys/fs/cgroup cannot be written"
    for controllers in cpu memory pids cpuset; do
      grep -qw $controllers /sys/fs/cgroup/cgroup.controllers || cannot "there is no cgroup controller $controllers"
    done
    return
  fi
  while IFS=: read -r _ controllers path; do
    base=/sys/fs/cgroup/${controllers#name=}
    if [ -z "$controllers" ] || [ ! -d "$base" ]; then
      continue
    fi
    if [ "$path" != / ] && [ -d "$base$path" ]; then
      base=$base$path # inside a container the path is one of the host, and our group is the root of what is seen
    fi
    [ -w "$base/cgroup.procs" ] || cannot "$base cannot be written"
    groups+=("$controllers $base/$node")
  done </proc/self/cgroup
  for controllers in cpu memory pids cpuset; do
    printf '%s\n' "${groups[@]%% *}" | tr , '\n' | grep -qx $controllers || cannot "there is no cgroup controller $controllers"
  done
}

cgroups_make() {
  local entry dir f
  printf '%s\n' "${groups[@]}" >cgroups
  for entry in "${groups[@]}"; do
    dir=${entry#* }
    mkdir -p "$dir"
    case ",${entry%% *}," in
      ,v2,) cgroup2_make "$dir" ;;
      *,cpuset,*) # a new one is empty, and nothing can join before these are set
        for f in cpuset.cpus cpuset.mems; do
          cat "$(dirname "$dir")/$f" >"$dir/$f"
        done ;;
    esac
  done
}

# Version 2 hands a controller down only where it is enabled in the parent, and below the real root only from groups that
# hold no process. So inside a container its processes move aside first, and the node's own live in a leaf, node/.
cgroup2_make() { # folder
  local have c f=/sys/fs/cgroup/cgroup.subtree_control
  mkdir -p "$1/node"
  have=" $(cat $f) "
  : >cgroups.added
  for c in cpuset cpu io memory pids; do
    [[ $have != *" $c "* ]] || continue
    if ! { echo "+$c" >$f; } 2>/dev/null; then
      mkdir -p /sys/fs/cgroup/init
      while read -r pid; do
        { echo "$pid" >/sys/fs/cgroup/init/cgroup.procs; } 2>/dev/null || true
      done </sys/fs/cgroup/cgroup.procs
      { echo "+$c" >$f; } 2>/dev/null || [ "$c" = io ] || cannot "the cgroup controller $c cannot be enabled"
    fi
    echo "$c" >>cgroups.added
  done
}

# One process that holds the mount, network, process, ipc, uts and cgroup namespaces; init.sh is process 1 in there. The
# cgroup namespace is rooted where the process is when it is made; after that, with version 2, it moves to the leaf.
namespaces_make() {
  # shellcheck disable=SC2016  # expanded by the inner bash
  proc_run node bash -c 'while read -r _ g; do echo $$ >"$g/cgroup.procs"; done <cgroups
    exec unshare -C bash -c "while read -r v g; do [ \$v != v2 ] || echo \$\$ >\$g/node/cgroup.procs; done <cgroups
      exec unshare -m -p -i -u -n --fork --kill-child --mount-proc bash \"\$0/init.sh\"" "$0"' "$cluster_here"
  local outer _
  read -r outer _ <run/node.pid
  for _ in $(seq 100); do
    [ ! -e run/ready ] || break
    proc_alive node || break
    sleep 0.05
  done
  [ -e run/ready ] || { tail -n 20 log/node.log >&2; cannot "its first process ended"; }
  pgrep -P "$outer" >run/init
}

make_pause() {
  [ ! -e images/pause.tar ] || return 0
  gcc -Os -static -s -o pause "$cluster_here/../workloads/pause.c"
  python3 "$cluster_here/mkimage.py" localhost/pause:1 images/pause.tar --entry /pause "$PWD/pause:/pause" >/dev/null
  rm -f pause
}

PATH=$PATH:/usr/sbin:/sbin
[ $# = 1 ] || { sed -n '/^# usage/,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
node=tt-check
if [ "$1" = --check ]; then
  check
  exit 0
fi
mkdir -p "$1"
cd "$1"
node=tt-$(printf '%s' "$PWD" | sha256sum | cut -c1-8)
case $PWD/ in /run/* | /proc/* | /sys/* | /var/lib/kubelet/* | /var/lib/containerd/*) die "$PWD is hidden inside the node: take another folder" ;; esac
if proc_alive node; then
  say "already up in $PWD"
  exit 0
fi
check
"$cluster_here/down.sh" "$PWD"
if [ -z "${CP_BIN:-}" ]; then
  need=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
  command -v kubectl >/dev/null || need+=(kubectl)
  "$cluster_here/../deps/controlplane.sh" "${need[@]}" >&2
  CP_BIN=$("$cluster_here/../deps/controlplane.sh" --bin)
fi
export NODE=$node CP_BIN
mkdir -p run log images fake etcd kubelet containerd podlogs cni
printf 'NODE=%q\nCP_BIN=%q\n' "$node" "$CP_BIN" >run/env
trap '"$cluster_here/down.sh" "$PWD"' EXIT
trap 'exit 130' INT TERM HUP
make_pause
cgroups_make
namespaces_make
lap "namespaces"
"$cluster_here/in.sh" "$PWD" bash "$cluster_here/node.sh"
trap - EXIT
lap "the cluster is up; enter it with: $cluster_here/in.sh $PWD kubectl get nodes"
