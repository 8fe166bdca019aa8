# Functions shared by the scripts of this folder: processes that are ended by their ids, free ports, certificates,
# kubeconfigs and the four processes of a control plane. Sourced; the working folder is the state folder DIR, where
# everything is kept: run/ (process ids and command lines; another folder with PROC_DIR), log/, pki/, etcd/.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # some variables are for those who source this, or come from them

cluster_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TRIMTAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trimtab}
procs=${PROC_DIR:-run}

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

lap_start=$(date +%s%3N)
lap() { # what: how long the script has run when this was done
  local ms=$(($(date +%s%3N) - lap_start))
  printf '%5d.%ds  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

# The time in ticks at which a process started. Kept beside its id: an id that was given to another process is not ours.
proc_birth() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086  # the fields of stat are words
  set -- $stat
  echo "${20}"
}

# Starts a command in the background, apart from the caller's terminal and open files: name, command...
proc_run() {
  local name=$1 pid
  shift
  printf '%q ' "$@" >"$procs/$name.cmd"
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec setsid "$@"
  ) >>"log/$name.log" 2>&1 </dev/null &
  pid=$!
  disown "$pid" # its end is no news of the shell's
  echo "$pid $(proc_birth "$pid" || echo 0)" >"$procs/$name.pid"
}

# Starts once more what proc_run started under this name, with the same command line.
proc_again() {
  [ -f "$procs/$1.cmd" ] || die "no process $1 was started in $PWD"
  ! proc_alive "$1" || return 0
  eval "proc_run $(printf '%q' "$1") $(cat "$procs/$1.cmd")"
}

proc_alive() { # name
  local pid birth
  [ -f "$procs/$1.pid" ] && read -r pid birth <"$procs/$1.pid" && [ "$(proc_birth "$pid")" = "$birth" ] &&
    ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null
}

# Ends a process that proc_run started: name, signal (TERM). What does not go within 5 s is killed.
proc_stop() {
  local name=$1 pid _
  if proc_alive "$name"; then
    read -r pid _ <"$procs/$name.pid"
    kill -s "${2:-TERM}" "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
      proc_alive "$name" || break
      sleep 0.05
    done
    ! proc_alive "$name" || kill -s KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$procs/$name.pid"
}

proc_names() { # every process with an id kept here
  local f
  for f in "$procs"/*.pid; do
    [ ! -e "$f" ] || basename "$f" .pid
  done
}

# Prints COUNT free TCP ports of loopback. They lie below the range from which the kernel takes the ports of outgoing
# connections, so that a server that is stopped and started again finds its port free.
free_ports() {
  python3 - "$1" <<'P'
import random, socket, sys
low, held = 0, []
with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
    low = int(f.read().split()[0])
first, last = (15000, low - 1) if low > 16000 else (20000, 65000)
while len(held) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randint(first, last)))
        held.append(s)
    except OSError:
        s.close()
print(*[s.getsockname()[1] for s in held])
P
}

pki_ca() { # name, common name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "pki/$1.key" -out "pki/$1.crt" \
    -days 3650 -subj "/CN=$2" 2>/dev/null
}

pki_cert() { # name, authority, subject, names as openssl's subjectAltName wants them
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "pki/$1.key" -subj "$3" 2>/dev/null |
    openssl x509 -req -CA "pki/$2.crt" -CAkey "pki/$2.key" -out "pki/$1.crt" -days 3650 \
      -set_serial "0x$(openssl rand -hex 12)" \
      -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "${4:-DNS:localhost}") 2>/dev/null
}

# The certificates of a control plane: addresses and names of the apiserver as a subjectAltName list.
pki_make() {
  [ ! -f pki/done ] || return 0
  mkdir -p pki
  chmod 700 pki
  pki_ca ca kubernetes-ca
  pki_ca front front-proxy-ca
  local services=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  pki_cert apiserver ca /CN=kube-apiserver "DNS:localhost,$services,$1"
  pki_cert admin ca /O=system:masters/CN=admin
  pki_cert apiserver-kubelet ca /O=system:masters/CN=apiserver-kubelet-client
  pki_cert kcm ca /CN=system:kube-controller-manager
  pki_cert scheduler ca /CN=system:kube-scheduler
  pki_cert front-client front /CN=front-proxy-client
  openssl ecparam -name prime256v1 -genkey -noout -out pki/sa.key
  openssl ec -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
  touch pki/done
}

kubeconfig_write() { # file, server, name of the client's certificate
  cat >"$1.new" <<K
apiVersion: v1
kind: Config
clusters:
- name: local
  cluster:
    server: $2
    certificate-authority-data: $(base64 -w0 <pki/ca.crt)
users:
- name: $3
  user:
    client-certificate-data: $(base64 -w0 <"pki/$3.crt")
    client-key-data: $(base64 -w0 <"pki/$3.key")
contexts:
- name: local
  context: {cluster: local, user: $3}
current-context: local
K
  chmod 600 "$1.new"
  mv "$1.new" "$1"
}

# etcd keeps nothing safe (no fsync): the cluster is thrown away after use. A single member waits for nobody, so the
# election is short.
start_etcd() { # client port, peer port
  proc_run etcd "$CP_BIN/etcd" --data-dir etcd --log-level warn \
    --listen-client-urls "http://127.0.0.1:$1" --advertise-client-urls "http://127.0.0.1:$1" \
    --listen-peer-urls "http://127.0.0.1:$2" --initial-advertise-peer-urls "http://127.0.0.1:$2" \
    --initial-cluster "default=http://127.0.0.1:$2" --heartbeat-interval 20 --election-timeout 100 --unsafe-no-fsync
}

start_apiserver() { # etcd's client port, address to listen on, port, service addresses, further flags...
  local etcd=$1 bind=$2 port=$3 services=$4
  shift 4
  # shellcheck disable=SC2086  # APISERVER_EXTRA holds several flags
  proc_run apiserver "$CP_BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd" \
    --bind-address="$bind" --secure-port="$port" --service-cluster-ip-range="$services" \
    --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
    --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key \
    --service-account-issuer=https://kubernetes.default.svc \
    --authorization-mode=Node,RBAC --allow-privileged=true \
    --requestheader-client-ca-file=pki/front.crt --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
    --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file=pki/front-client.crt --proxy-client-key-file=pki/front-client.key \
    "$@" ${APISERVER_EXTRA:-}
}

# With its default of 20 requests a second the controller-manager takes 4 s just to start its controllers.
start_kcm() { # port, further flags...
  local port=$1
  shift
  # shellcheck disable=SC2086  # KCM_EXTRA holds several flags
  proc_run kcm "$CP_BIN/kube-controller-manager" --kubeconfig=kcm.kubeconfig \
    --authentication-kubeconfig=kcm.kubeconfig --authorization-kubeconfig=kcm.kubeconfig \
    --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt --use-service-account-credentials=true \
    --leader-elect=false --kube-api-qps=200 --kube-api-burst=400 --secure-port="$port" "$@" ${KCM_EXTRA:-}
}

start_scheduler() { # port, further flags...
  local port=$1
  shift
  proc_run scheduler "$CP_BIN/kube-scheduler" --kubeconfig=scheduler.kubeconfig \
    --leader-elect=false --kube-api-qps=200 --kube-api-burst=400 --secure-port="$port" "$@"
}

api() { # path...: GETs a path of the apiserver at $api_url as the administrator
  curl -sf -m 5 --cacert pki/ca.crt --cert pki/admin.crt --key pki/admin.key "$api_url$1"
}

# Waits until the apiserver is ready. 1 when a process died or 60 s went by; what it said last is shown.
wait_apiserver() {
  local end=$((SECONDS + ${APISERVER_WAIT:-60})) name
  while ! api /readyz >/dev/null; do
    for name in etcd apiserver; do
      if ! proc_alive "$name"; then
        say "$name ended:"
        tail -n 5 "log/$name.log" >&2
        return 1
      fi
    done
    if [ $SECONDS -ge $end ]; then
      say "the apiserver is not ready after ${APISERVER_WAIT:-60} s:"
      tail -n 5 log/apiserver.log >&2
      return 1
    fi
    sleep 0.1
  done
}

wait_for() { # seconds, what, command...: until the command succeeds
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { say "$what: not there in time"; return 1; }
    sleep 0.2
  done
}
