# The steps of demo.sh, for its three kinds of cluster: node (real containers on this machine), kwok (KWOK nodes; workload and
# operator are local processes) and given (the cluster of KUBECONFIG). Sourced.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # here, root and cache come from those who source this

low=${DEMO_LOW:-4} high=${DEMO_HIGH:-40}
operator_url= # where a local operator answers; set where there is one
low_seconds=8 high_seconds=25 down_seconds=60
namespace=default window=5s
build=$root/build/release
trimtab=${TRIMTAB:-$build/trimtab} httpserver=${HTTPSERVER:-$build/e2e/workloads/httpserver}
bin=$("$root/e2e/deps/controlplane.sh" --bin)
PATH=$PATH:/usr/sbin:/sbin:$bin

step_number=0
step() {
  step_number=$((step_number + 1))
  printf '\n[%d/7] %s\n' $step_number "$*"
}

# The real node needs root; the rest does not.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo env "PATH=$PATH" "TRIMTAB_CACHE=$cache" "$@"; fi
}

# Runs a command where the cluster's network is.
inside() {
  if [ "$mode" = node ]; then as_root "$root/e2e/cluster/in.sh" "$dir" "$@"; else "$@"; fi
}

k() { inside kubectl "$@"; }

# ---- which cluster ----

operator_namespace='trimtab-system'
added=()

choose_cluster() {
  mode=node
  dir=${DEMO_DIR:-$root/build/demo}
  if [ "${DEMO_NODE:-}" = kwok ]; then
    mode=kwok
  elif [ -n "${KUBECONFIG:-}" ] && given_wanted; then
    mode=given
  fi
  mode_text="real containers on one node, in namespaces of its own"
  if [ "$mode" = given ]; then given_check; fi
  [ "$mode" != kwok ] || fall_back
  [ "$mode" = given ] || unset KUBECONFIG
  return 0
}

given_wanted() {
  local answer server
  [ "${DEMO_USE_KUBECONFIG:-}" != 1 ] || return 0
  server=$(kubectl config view --minify -o 'jsonpath={.current-context} at {.clusters[0].cluster.server}' 2>/dev/null) ||
    server="which cannot be read"
  if [ ! -t 0 ]; then
    say "KUBECONFIG is set ($server); without a terminal to ask on, a local cluster is started. DEMO_USE_KUBECONFIG=1 uses it."
    return 1
  fi
  read -r -p "Use the cluster of KUBECONFIG, $server, instead of starting a local one? [y/N] " answer
  case $answer in [yY]*) return 0 ;; *) return 1 ;; esac
}

given_check() {
  mode_text="that of KUBECONFIG"
  namespace=${DEMO_NAMESPACE:-trimtab-demo} window=${DEMO_WINDOW:-1m} down_seconds=180 high_seconds=${DEMO_HIGH_SECONDS:-90}
  [ -n "${IMAGE:-}" ] && [ -n "${WORKLOAD_IMAGE:-}" ] && [ -n "${PROMETHEUS_URL:-}" ] && return 0
  cat >&2 <<'T'
The cluster of KUBECONFIG cannot run what was built here before it can pull it. Push two images to a registry of yours:
  podman build -t REGISTRY/trimtab:dev . && podman push REGISTRY/trimtab:dev
  podman build -t REGISTRY/httpserver:dev -f e2e/workloads/Containerfile . && podman push REGISTRY/httpserver:dev
and name them, with a Prometheus that scrapes pods annotated prometheus.io/scrape and labels them namespace and app:
  IMAGE=REGISTRY/trimtab:dev WORKLOAD_IMAGE=REGISTRY/httpserver:dev PROMETHEUS_URL=http://prometheus.monitoring.svc:9090 \
    make demo
T
  exit 1
}

# Packages are there now: can this machine run a node?
node_or_kwok() {
  [ "$mode" = node ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    say "a real node cannot run here: it needs root or sudo"
  else
    ! as_root "$root/e2e/cluster/up.sh" --check || return 0
  fi
  fall_back
}

fall_back() {
  mode=kwok
  mode_text="KWOK nodes; the workload and the operator are local processes"
  say "So the nodes are KWOK's, which only pretend, and the workload and the operator run as processes of this machine."
}

# ---- before the cluster ----

build_programs() {
  local programs=(helm)
  command -v kubectl >/dev/null || programs+=(kubectl)
  if [ "$mode" = given ]; then
    echo "  nothing: the cluster pulls $IMAGE and $WORKLOAD_IMAGE"
  else
    compile
    node_or_kwok
    programs+=(etcd kube-apiserver kube-controller-manager kube-scheduler)
  fi
  [ "$mode" != node ] || programs+=(kubelet kube-proxy)
  [ "$mode" != kwok ] || programs+=(kwok)
  "$root/e2e/deps/controlplane.sh" "${programs[@]}"
}

compile() {
  local f
  if [ -z "${TRIMTAB:-}" ] || [ -z "${HTTPSERVER:-}" ]; then
    (cd "$root" && cmake --preset release >/dev/null && nice cmake --build --preset release --target trimtab httpserver)
  fi
  for f in "$trimtab" "$httpserver"; do
    [ -x "$f" ] || die "$f is not there"
  done
}

# One demo at a time in a folder; what an earlier one left behind is ended first.
prepare_folder() {
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  state=$dir/demo
  mkdir -p "$state"
  exec 8>"$state/lock"
  flock -n 8 || die "another demo runs in $dir"
  cleanup
  mkdir -p "$state/run" "$state/log"
  rm -f "$state"/{load,replicas,times} "$state"/log/*
  trap cleanup EXIT
  trap 'echo; exit 130' INT
  trap 'exit 143' TERM HUP
}

cleanup() {
  [ -z "${kept:-}" ] || return 0
  trap '' INT TERM HUP
  stop_watching
  case $mode in
    node) as_root "$root/e2e/cluster/down.sh" "$dir" ;;
    given) given_cleanup ;;
  esac
  (
    cd "$state" || return
    for name in $(proc_names); do
      proc_stop "$name"
    done
  )
  [ "$mode" != kwok ] || "$root/e2e/cluster/control-plane.sh" down "$dir"
}

# The demo adds what it needs and takes just that away again; an installation that is there already is not touched.
given_begin() {
  kubectl get --raw /version --request-timeout=10s >/dev/null || die "the cluster of KUBECONFIG does not answer"
  ! helm status trimtab --namespace $operator_namespace >/dev/null 2>&1 ||
    die "trimtab is installed in $operator_namespace already: apply e2e/demo/workload.yaml and policy.yaml by hand"
  ! kubectl get namespace "$namespace" >/dev/null 2>&1 || die "namespace $namespace is there already: set DEMO_NAMESPACE"
  added=(namespace/"$namespace")
  local object
  for object in namespace/$operator_namespace crd/{autoscalingpolicies,metricsources,clustermetricsources}.autoscaling.trimtab.dev; do
    kubectl get "$object" >/dev/null 2>&1 || added+=("$object")
  done
  kubectl create namespace "$namespace" >/dev/null
}

given_cleanup() {
  [ ${#added[@]} -gt 0 ] || return 0
  say "removing the demo from the cluster"
  kubectl -n "$namespace" delete autoscalingpolicies --all >/dev/null 2>&1 || true
  helm_quiet uninstall trimtab --namespace $operator_namespace >/dev/null 2>&1 || true
  kubectl delete --wait=false "${added[@]}" >/dev/null 2>&1 || true
}

keep_note() {
  kept=1
  echo
  case $mode in
    node) echo "The cluster stays up: e2e/cluster/in.sh $dir kubectl get asp; end it with e2e/cluster/down.sh $dir" ;;
    kwok) echo "The cluster stays up: KUBECONFIG=$dir/admin.kubeconfig kubectl get asp; the next make demo ends it" ;;
    given) echo "Namespace $namespace and the release trimtab stay in the cluster." ;;
  esac
}

# ---- the cluster and what runs in it ----

cluster_up() {
  case $mode in
    node)
      mkdir -p "$dir/images"
      python3 "$root/e2e/cluster/mkimage.py" localhost/trimtab:dev "$dir/images/trimtab.tar" --entry /usr/bin/trimtab \
        --user 65532:65532 --libs --load libcurl.so --load libwebsockets.so "$trimtab:/usr/bin/trimtab" /etc/ssl/certs/ca-certificates.crt \
        /usr/share/zoneinfo
      python3 "$root/e2e/cluster/mkimage.py" localhost/httpserver:dev "$dir/images/httpserver.tar" --entry /usr/bin/httpserver \
        --user 65532:65532 --libs "$httpserver:/usr/bin/httpserver"
      as_root "$root/e2e/cluster/up.sh" "$dir" && return 0
      say "the real node did not start (logs: $dir/log)"
      fall_back
      "$root/e2e/deps/controlplane.sh" kwok
      cluster_up ;;
    kwok)
      KUBECONFIG=$("$root/e2e/cluster/control-plane.sh" up "$dir" --nodes 2)
      export KUBECONFIG ;;
    given) given_begin ;;
  esac
}

prometheus_config() {
  cat <<Y
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: pods
    file_sd_configs: [{files: ['$state/targets.json']}]
Y
}

# Debian's Prometheus, reading every second; beside the real node it runs inside the node's network.
prometheus_up() {
  if [ "$mode" = given ]; then
    prometheus_url=$PROMETHEUS_URL
    echo "  $prometheus_url"
    return
  fi
  local listen=198.51.100.10:9090
  [ "$mode" = node ] || listen=127.0.0.1:$(free_ports 1)
  prometheus_url=http://$listen
  prometheus_config >"$state/prometheus.yml"
  rm -rf "$state/prometheus"
  [ "$mode" = kwok ] || run_inside targets "$here/targets.sh" default web 8080 "$state/targets.json"
  run_inside prometheus prometheus --config.file="$state/prometheus.yml" --storage.tsdb.path="$state/prometheus" \
    --web.listen-address="$listen" --log.level=warn
  wait_for 30 Prometheus inside curl -sf -m 2 "$prometheus_url/-/ready" || { tail -n 5 "$state/log/prometheus.log" >&2; exit 1; }
  echo "  $prometheus_url, a scrape every second"
}

# Starts a process that ends with the demo: name, command...
run() { (cd "$state" && proc_run "$@"); }

# The same where the cluster's network is; beside the real node it ends with the node.
run_inside() { # name, command...
  local name=$1
  shift
  if [ "$mode" != node ]; then
    run "$name" "$@"
  elif [ "$(id -u)" = 0 ]; then
    run "$name" "$root/e2e/cluster/in.sh" "$dir" "$@"
  else
    run "$name" sudo env "PATH=$PATH" "TRIMTAB_CACHE=$cache" "$root/e2e/cluster/in.sh" "$dir" "$@"
  fi
}

helm_quiet() { # helm, without its remark on the chart's link to crds/
  local rc=0
  inside env HELM_CACHE_HOME="$state/helm" HELM_CONFIG_HOME="$state/helm" HELM_DATA_HOME="$state/helm" helm "$@" \
    2>"$state/log/helm.err" || rc=$?
  grep -v 'found symbolic link' "$state/log/helm.err" >&2 || true
  return $rc
}

# The metrics APIs: on the real node all of them by the chart, beside a local operator those of custom metrics by hand; a
# cluster that is somebody's keeps what it has.
metrics_settings() {
  case $mode in
    node)
      { printf 'kubelets: {resolution: 10s}\nmetrics:\n  relistInterval: 5s\n  rules:\n' && sed 's/^/    /' "$here/rules.yaml"; } \
        >"$state/values.yaml"
      settings+=(--values "$state/values.yaml") ;;
    kwok) settings+=(--set replicas=0) ;;
    given) settings+=(--set "metrics.apiServices.custom=false,metrics.apiServices.external=false,metrics.apiServices.resource=false") ;;
  esac
}

operator_up() {
  local image=${IMAGE:-localhost/trimtab:dev} settings=(--set "prometheus.url=$prometheus_url")
  metrics_settings
  settings+=(--set "image.repository=${image%:*}" --set "image.tag=${image##*:}")
  echo "  helm install trimtab helm/ --namespace $operator_namespace ${settings[*]}"
  helm_quiet upgrade --install trimtab "$root/helm" --namespace $operator_namespace --create-namespace "${settings[@]}" \
    --wait --timeout 120s >"$state/log/helm.log" || { show_trouble; die "helm install failed"; }
  k wait --for=condition=Established crd/autoscalingpolicies.autoscaling.trimtab.dev --timeout=30s >/dev/null
  [ "$mode" = kwok ] && operator_process
  return 0
}

# The operator as a process has the rights that the chart gives to its service account, and no more.
operator_process() {
  local token port secure
  token=$(kubectl -n $operator_namespace create token trimtab --duration=2h)
  kubectl config view --raw --minify --kubeconfig="$KUBECONFIG" >"$state/operator.kubeconfig"
  kubectl --kubeconfig="$state/operator.kubeconfig" config unset users >/dev/null
  kubectl --kubeconfig="$state/operator.kubeconfig" config set-credentials operator --token="$token" >/dev/null
  kubectl --kubeconfig="$state/operator.kubeconfig" config set-context --current --user=operator >/dev/null
  chmod 600 "$state/operator.kubeconfig"
  read -r port secure < <(free_ports 2 | xargs)
  rm -rf "$state/cert"
  run operator env -u KUBECONFIG "$trimtab" run --kubeconfig="$state/operator.kubeconfig" \
    --prometheus-url="$prometheus_url" --http-port="$port" --secure-port="$secure" --bind-address=127.0.0.1 \
    --rules="$here/rules.yaml" --metrics-relist-interval=5s --no-kubelet-metrics --cert-dir="$state/cert" \
    --service=$operator_namespace/trimtab-local
  operator_url=http://127.0.0.1:$port
  wait_for 20 "the operator" curl -sf -m 2 "$operator_url/readyz" || { show_trouble; exit 1; }
  local_apiservices "$secure"
}

# The apiserver finds the local operator by a Service that leads to this machine.
local_apiservices() { # port
  local version
  {
    cat <<Y
apiVersion: v1
kind: Service
metadata: {name: trimtab-local, namespace: $operator_namespace}
spec: {type: ExternalName, externalName: localhost}
Y
    for version in v1beta1 v1beta2; do
      cat <<Y
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: $version.custom.metrics.k8s.io}
spec:
  group: custom.metrics.k8s.io
  version: $version
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: $(base64 -w 0 "$state/cert/ca.crt")
  service: {namespace: $operator_namespace, name: trimtab-local, port: $1}
Y
    done
  } >"$state/apiservices.yaml"
  kubectl apply -f "$state/apiservices.yaml" >/dev/null
}

workload_up() {
  local port
  sed "s#IMAGE#${WORKLOAD_IMAGE:-localhost/httpserver:dev}#" "$here/workload.yaml" | k -n "$namespace" apply -f - >/dev/null
  if [ "$mode" = kwok ]; then
    port=$(free_ports 1)
    web_url=http://127.0.0.1:$port/
    run pods "$here/local-pods.sh" "$KUBECONFIG" "$httpserver" "$port" "$state/targets.json"
  fi
  k -n "$namespace" rollout status deployment/web --timeout=120s >/dev/null || { show_trouble; die "the workload is not ready"; }
  case $mode in
    node) web_url=http://$(k get service web -o 'jsonpath={.spec.clusterIP}')/ ;;
    given) given_forward ;;
  esac
  wait_for 20 "the workload at $web_url" inside curl -sf -m 2 "$web_url"
  [ "$mode" = given ] || wait_for 20 "the first samples" samples_there
  sed -e "s/NAMESPACE/$namespace/; s/WINDOW/$window/" "$here/policy.yaml" >"$state/policy.yaml"
  sed -n '/^spec/,$p' "$state/policy.yaml" | grep -v '^ *#' | sed 's/^/  /'
  k -n "$namespace" apply -f - <"$state/policy.yaml"
}

# Prometheus reads a changed list of targets after up to 5 s.
samples_there() {
  inside curl -sf -m 2 "$prometheus_url/api/v1/query?query=rate(http_requests_total%5B5s%5D)" | grep '"value"'
}

given_forward() {
  local port
  port=$(free_ports 1)
  run forward kubectl -n "$namespace" port-forward service/web "$port:80"
  web_url=http://127.0.0.1:$port/
}

# ---- load, and looking at it ----

# Why the last change was made; beside a local operator directly, else through the apiserver.
explain_last() {
  local where=()
  [ -z "$operator_url" ] || where=("--operator=$operator_url")
  printf '\n  $ kubectl trimtab explain web\n'
  inside "$trimtab" explain web --namespace="$namespace" "${where[@]}" 2>&1 | sed 's/^/  /'
}

# What an HPA and kubectl top would read at this moment, out of the operator's memory.
metrics_path="/apis/custom.metrics.k8s.io/v1beta2/namespaces/$namespace/pods/*/http_requests_per_second?labelSelector=app%3Dweb"
metrics_shown=
show_metrics() {
  [ "$mode" != given ] || return 0
  if [ "$mode" = node ]; then
    printf '\n  $ kubectl top pods\n'
    { k top pods 2>&1 || true; } | sed 's/^/  /'
  fi
  printf "\n  $ kubectl get --raw '%s'\n" "$metrics_path"
  if k get --raw "$metrics_path" >"$state/metrics.json" 2>"$state/log/metrics.err"; then
    python3 "$here/metrics.py" <"$state/metrics.json" && metrics_shown=1
  else
    sed 's/^/  /' "$state/log/metrics.err"
  fi
  echo
}

watchers=()
stamped() { while IFS= read -r line; do printf '%(%H:%M:%S)T  %s\n' -1 "$line"; done; }
clocked() { while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done; }

# Two watches: the policy's line for the screen, and the Deployment's size for the summary.
show_policies() {
  k -n "$namespace" get deployment web --watch -o 'jsonpath={.spec.replicas} {.status.readyReplicas}{"\n"}' \
    2>/dev/null > >(clocked >"$state/replicas") &
  watchers+=($!)
  k -n "$namespace" get autoscalingpolicies --watch 2>/dev/null > >(stamped) &
  watchers+=($!)
  wait_for 20 "the watch of the workload" test -s "$state/replicas"
}

# A watch is kubectl behind a subshell and, beside the real node, behind nsenter: end whoever is below.
stop_watching() {
  local pid
  for pid in "${watchers[@]}" ${load_pid:-}; do
    tree_kill "$pid"
  done
  watchers=() load_pid=
}

tree_kill() { # pid
  local child
  for child in $(pgrep -P "$1" 2>/dev/null); do
    tree_kill "$child"
  done
  kill "$1" 2>/dev/null || true
}

rest() { # seconds; a signal is answered at once
  sleep "$1" &
  wait $! || true
}

load_start() { # name of the step, connections, seconds
  local threads=2
  [ "$2" -ge 2 ] || threads=1
  printf '%(%H:%M:%S)T  ---- %s: %d connections, about %d requests/s for %d s\n' -1 "$1" "$2" $((20 * $2)) "$3"
  step_time=$EPOCHREALTIME
  inside wrk -t $threads -c "$2" -d "${3}s" --timeout 5s "$web_url" >"$state/log/wrk-$1.log" 2>&1 &
  load_pid=$!
  wait $load_pid || { tail -n 5 "$state/log/wrk-$1.log" >&2; die "wrk failed"; }
  load_pid=
  echo "$1 $step_time $(awk '/^Requests\/sec/ {print $2}' "$state/log/wrk-$1.log")" >>"$state/load"
}

replicas_now() { tail -n 1 "$state/replicas" | cut -d' ' -f2; }

load_run() {
  : >"$state/load"
  load_start low "$low" $low_seconds
  load_start high "$high" $high_seconds
  printf '%(%H:%M:%S)T  ---- no load\n' -1
  echo "stop $EPOCHREALTIME 0" >>"$state/load"
  show_metrics
  local end=$((SECONDS + down_seconds))
  while [ "$(replicas_now)" != 1 ] && [ $SECONDS -lt $end ]; do
    rest 0.2
  done
  rest 2 # the policy's last line
}

show_trouble() {
  {
    echo
    echo "What may help to see why (logs: $state/log, $dir/log):"
    case $mode in
      kwok) tail -n 20 "$state/log/operator.log" ;;
      *)
        k -n $operator_namespace get pods
        k -n $operator_namespace logs deployment/trimtab --tail=20 ;;
    esac
    k -n "$namespace" get events --sort-by=.lastTimestamp | tail -n 10
    k -n "$namespace" get autoscalingpolicies web -o 'jsonpath={.status}{"\n"}'
  } >&2 2>/dev/null || true
}
