#!/usr/bin/env bash
# A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and, when asked for,
# KWOK nodes whose pods run without containers. Ports are chosen at start; all state lies below DIR.
#
# usage: control-plane.sh up DIR [--no-kcm] [--nodes N]   starts it; prints the path of the administrator's kubeconfig,
#                                                         DIR/admin.kubeconfig
#        control-plane.sh down DIR                        ends all of it and removes its data (logs stay)
#        control-plane.sh stop|start DIR NAME             ends one process, or starts it again on the same port
#        control-plane.sh freeze|thaw DIR NAME            halts one process (it keeps its sockets), or lets it go on
#   --no-kcm   etcd and apiserver only, the quickest to start; pods are accepted without service accounts
#   --nodes N  N KWOK nodes (kwok-0 ...)
#   NAME       etcd, apiserver, kcm, scheduler or kwok
# env:   CP_BIN (folder of the binaries; else they are built by e2e/deps/controlplane.sh, once),
#        APISERVER_PORT, ETCD_PORT, ETCD_PEER_PORT, APISERVER_EXTRA, KCM_EXTRA (more flags)
# shellcheck disable=SC2154  # the file of ports sets some variables
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

usage() { sed -n '/^# usage/,/^set/{/^set/d;/shellcheck/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

binaries() { # names...: sets CP_BIN
  [ -z "${CP_BIN:-}" ] || return 0
  "$cluster_here/../deps/controlplane.sh" "$@" >&2
  CP_BIN=$("$cluster_here/../deps/controlplane.sh" --bin)
}

ports_choose() {
  local p
  read -r -a p <<<"$(free_ports 5)"
  cat >ports <<P
apiserver_port=${APISERVER_PORT:-${p[0]}}
etcd_port=${ETCD_PORT:-${p[1]}}
etcd_peer_port=${ETCD_PEER_PORT:-${p[2]}}
kcm_port=${p[3]}
scheduler_port=${p[4]}
P
  ports_read
}

ports_read() {
  # shellcheck disable=SC1091  # written above
  . ./ports
  api_url=https://127.0.0.1:$apiserver_port
}

# Starts etcd and the apiserver. 2 when a port was taken by somebody else in the meantime.
core_up() { # further apiserver flags...
  ports_choose
  rm -rf etcd
  rm -f log/etcd.log log/apiserver.log
  start_etcd "$etcd_port" "$etcd_peer_port"
  # No endpoints for the kubernetes service: its addresses may not be of loopback, and no pod will ask.
  start_apiserver "$etcd_port" 127.0.0.1 "$apiserver_port" 10.0.0.0/24 \
    --advertise-address=127.0.0.1 --endpoint-reconciler-type=none "$@"
  wait_apiserver && return 0
  ! grep -qs 'address already in use' log/etcd.log log/apiserver.log || return 2
  return 1
}

kwok_up() { # number of nodes
  local i
  for ((i = 0; i < $1; i++)); do
    cat <<Y
---
apiVersion: v1
kind: Node
metadata: {name: kwok-$i, labels: {kubernetes.io/hostname: kwok-$i, type: kwok}}
status:
  allocatable: {cpu: "1000", memory: 4Ti, pods: "20000"}
  capacity: {cpu: "1000", memory: 4Ti, pods: "20000"}
Y
  done | kubectl --kubeconfig admin.kubeconfig apply -f - >/dev/null
  proc_run kwok "$CP_BIN/kwok" --kubeconfig=admin.kubeconfig --manage-all-nodes=true \
    --cidr=203.0.113.0/24 --node-ip=203.0.113.1 --config "$CP_BIN/kwok-stages.yaml"
  wait_for 60 "KWOK nodes" nodes_ready "$1"
}

nodes_ready() { [ "$(kubectl --kubeconfig admin.kubeconfig get nodes --no-headers | grep -c ' Ready')" -ge "$1" ]; }

rest_up() {
  local user
  for user in kcm scheduler; do
    kubeconfig_write "$user.kubeconfig" "$api_url" "$user"
  done
  start_kcm "$kcm_port" --bind-address=127.0.0.1
  start_scheduler "$scheduler_port" --bind-address=127.0.0.1
  wait_for 60 "service accounts" api /api/v1/namespaces/default/serviceaccounts/default
  lap "controller-manager and scheduler"
}

up() {
  local light='' nodes=0 rc=0
  local -a flags=()
  while [ $# -gt 0 ]; do
    case $1 in
      --no-kcm) light=1; flags+=(--disable-admission-plugins=ServiceAccount) ;;
      --nodes) nodes=${2:?number of nodes}; shift ;;
      *) usage ;;
    esac
    shift
  done
  if proc_alive apiserver; then
    echo "$PWD/admin.kubeconfig"
    return
  fi
  local need=(etcd kube-apiserver)
  [ -n "$light" ] || need+=(kube-controller-manager kube-scheduler)
  [ "$nodes" = 0 ] || need+=(kwok)
  binaries "${need[@]}"
  down_now
  trap 'down_now' EXIT
  trap 'exit 130' INT TERM HUP
  mkdir -p run log
  pki_make IP:127.0.0.1,IP:10.0.0.1
  for _ in 1 2 3; do
    rc=0
    core_up "${flags[@]}" || rc=$?
    [ $rc = 2 ] || break
    down_now
  done
  [ $rc = 0 ] || die "the apiserver did not start; its log is $PWD/log/apiserver.log"
  kubeconfig_write admin.kubeconfig "$api_url" admin
  lap "etcd and apiserver"
  [ -n "$light" ] || rest_up
  [ "$nodes" = 0 ] || { kwok_up "$nodes"; lap "$nodes KWOK nodes"; }
  trap - EXIT
  echo "$PWD/admin.kubeconfig"
}

down_now() {
  local name
  for name in $(proc_names); do
    proc_stop "$name" KILL
  done
  rm -rf etcd run admin.kubeconfig kcm.kubeconfig scheduler.kubeconfig
  mkdir -p run
}

again() { # name
  proc_again "$1"
  ports_read
  case $1 in etcd | apiserver) wait_apiserver ;; esac
}

signal() { # name, signal
  local pid _
  proc_alive "$1" || die "$1 does not run"
  read -r pid _ <"run/$1.pid"
  kill -s "$2" "$pid"
}

[ $# -ge 2 ] || usage
cmd=$1 dir=$2
shift 2
[ "$cmd" = up ] || [ -d "$dir" ] || { [ "$cmd" = down ] && exit 0; die "$dir is not there"; }
mkdir -p "$dir"
cd "$dir"
dir=$PWD
[ -z "${CP_BIN:-}" ] || case $CP_BIN in /*) ;; *) CP_BIN=$OLDPWD/$CP_BIN ;; esac
case $cmd in
  up) up "$@" ;;
  down) down_now ;;
  stop) proc_stop "${1:?name of a process}" ;;
  start) again "${1:?name of a process}" ;;
  freeze) signal "${1:?name of a process}" STOP ;;
  thaw) signal "${1:?name of a process}" CONT ;;
  *) usage ;;
esac
