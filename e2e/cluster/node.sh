#!/usr/bin/env bash
# Starts the programs of the cluster inside the node: etcd, apiserver, containerd, controller-manager, scheduler, kubelet,
# kube-proxy. Run by up.sh through in.sh. The ports are those of every cluster: the network is the node's own.
set -euo pipefail
PROC_DIR=node-run
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$NODE_DIR"
ip=198.51.100.10 services=203.0.113.0/24 first_service=203.0.113.1 pods=198.51.100.128/25
api_url=https://$ip:6443
socket=/run/containerd/containerd.sock
mkdir -p node-run etc/cni

certificates() {
  pki_make "IP:127.0.0.1,IP:$ip,IP:$first_service"
  pki_cert proxy ca /CN=system:kube-proxy
  [ -f pki/kubelet.crt ] || pki_cert kubelet ca "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$ip"
  local user
  for user in admin kcm scheduler proxy kubelet; do
    kubeconfig_write "$user.kubeconfig" "$api_url" "$user"
  done
}

# Containers' oom_score_adj is left alone: root may lack the right to lower it. Where the file system under DIR cannot
# carry an overlay, layers are copied.
containerd_config() {
  local snapshotter=overlayfs
  mkdir -p containerd/probe/{a,b,c,d}
  if mount -t overlay overlay -o lowerdir=containerd/probe/a,upperdir=containerd/probe/b,workdir=containerd/probe/c \
    containerd/probe/d 2>/dev/null; then
    umount containerd/probe/d
  else
    snapshotter=native
  fi
  cat >etc/containerd.toml <<T
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$PWD/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
T
  cat >etc/cni/10-pods.conflist <<T
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": false,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
T
}

images_import() {
  wait_for 20 containerd ctr -a $socket version
  local f
  for f in images/*.tar; do
    [ ! -e "$f" ] || ctr -a $socket -n k8s.io images import "$f" >>log/import.log 2>&1 || die "cannot import $f: see $PWD/log/import.log"
  done
}

kubelet_config() {
  local files
  files=$(ulimit -Hn)
  [ "$files" != unlimited ] && [ "$files" -lt 1000000 ] || files=1000000
  : >etc/resolv.conf
  cat >etc/kubelet.yaml <<T
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /
containerRuntimeEndpoint: unix://$socket
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PWD/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PWD/pki/kubelet.crt
tlsPrivateKeyFile: $PWD/pki/kubelet.key
protectKernelDefaults: true
failSwapOn: false
oomScoreAdj: 0
maxOpenFiles: $files
clusterDNS: [203.0.113.10]
clusterDomain: cluster.local
resolvConf: $PWD/etc/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 5s
kubeAPIQPS: 200
kubeAPIBurst: 400
T
}

# The limits of connection tracking belong to the whole machine: kube-proxy leaves them alone.
proxy_config() {
  cat >etc/proxy.yaml <<T
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $PWD/proxy.kubeconfig}
mode: nftables
hostnameOverride: $NODE
oomScoreAdj: 0
clusterCIDR: $pods
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
T
}

node_ready() { kubectl --kubeconfig admin.kubeconfig get node "$NODE" --no-headers | grep -qw Ready; }

certificates
start_etcd 2379 2380
start_apiserver 2379 0.0.0.0 6443 $services --advertise-address=$ip --enable-admission-plugins=NodeRestriction \
  --kubelet-client-certificate=pki/apiserver-kubelet.crt --kubelet-client-key=pki/apiserver-kubelet.key \
  --kubelet-certificate-authority=pki/ca.crt --kubelet-preferred-address-types=InternalIP
containerd_config
proc_run containerd containerd --config etc/containerd.toml
images_import
lap "containerd, with its images"
wait_apiserver
lap "etcd and apiserver"
start_kcm 10257
start_scheduler 10259
kubelet_config
proc_run kubelet "$CP_BIN/kubelet" --config=etc/kubelet.yaml --kubeconfig=kubelet.kubeconfig \
  --hostname-override="$NODE" --node-ip=$ip
proxy_config
proc_run proxy "$CP_BIN/kube-proxy" --config=etc/proxy.yaml
wait_for 90 "the node" node_ready || { tail -n 5 log/kubelet.log >&2; exit 1; }
wait_for 30 "service accounts" api /api/v1/namespaces/default/serviceaccounts/default
lap "the node is ready"
