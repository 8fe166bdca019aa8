#!/usr/bin/env bash
# Installs the Debian packages that building, checking and the local cluster need; says which. Does nothing, and asks for
# no rights, where all are there. No daemon is started or enabled by it. Written for Debian 12; elsewhere the list it
# prints tells what to provide.
#
# usage: packages.sh [--list] [GROUP...]   groups: build (compile trimtab and its tests), check (analysers, formatters),
#                                          cluster (the demo and the end-to-end tests). Default: all three.
#   --list   only print what is missing, one a line
set -euo pipefail

# package, or package:command where the command may as well come from elsewhere (another containerd must not be replaced)
# shellcheck disable=SC2034  # the arrays are used by name
{
build=(gcc:gcc libc6-dev make:make cmake:cmake ninja-build:ninja pkg-config:pkg-config
  libwebsockets-dev libcurl4-openssl-dev libssl-dev libyaml-dev libjansson-dev libyajl-dev libpcre2-dev libhttp-parser-dev
  libcmocka-dev libmicrohttpd-dev tzdata)
check=(clang:clang clang-format:clang-format clang-tidy:clang-tidy libclang-rt-14-dev llvm universal-ctags:ctags
  shellcheck:shellcheck python3-yaml)
cluster=(containerd:containerd runc:runc containernetworking-plugins iptables:iptables nftables:nft conntrack:conntrack
  ethtool:ethtool iproute2:ip kmod:modprobe mount:mount util-linux procps:ps prometheus:prometheus wrk:wrk
  python3:python3 python3-venv curl:curl openssl:openssl ca-certificates git:git)
}

say() { printf '%s\n' "$*" >&2; }

has() { # entry
  local package=${1%%:*} command=${1#*:}
  if [ "$command" != "$1" ]; then
    PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null && return 0
  fi
  # A Go toolchain of one's own makes the virtual environment needless.
  [ "$package" != python3-venv ] || ! "$(command -v go || echo false)" version >/dev/null 2>&1 || return 0
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ]
}

find_missing() { # groups...: sets `todo`
  todo=()
  local group entry
  for group; do
    case $group in
      build | check | cluster) local -n entries=$group ;;
      *) say "packages.sh: unknown group $group (build, check, cluster)"; exit 2 ;;
    esac
    for entry in "${entries[@]}"; do
      has "$entry" || todo+=("${entry%%:*}")
    done
  done
}

# Debian asks this file whether a daemon may be started; one that answers no is put there and taken away again.
policy=/usr/sbin/policy-rc.d
forbid_daemons() {
  [ ! -e $policy ] || return 0
  # shellcheck disable=SC2064
  trap "$sudo rm -f $policy" EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
  $sudo chmod 755 $policy
}

# What was installed here shall not start at the next boot either.
disable_daemons() { # packages...
  command -v systemctl >/dev/null || return 0
  local package
  for package; do
    case $package in
      containerd | prometheus | nftables) $sudo systemctl disable "$package" >/dev/null 2>&1 || true ;;
    esac
  done
}

apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@"; }

install() { # packages...: with the package lists at hand first, then with fresh ones
  local try log
  log=$(mktemp)
  for try in 1 2 3; do
    [ "$try" = 1 ] || { say "  reading package lists anew"; apt update >>"$log" 2>&1 || true; }
    if apt install -y --no-install-recommends "$@" >>"$log" 2>&1; then
      rm -f "$log"
      return 0
    fi
  done
  tail -n 20 "$log" >&2
  say "packages.sh: apt-get could not install them; its whole output is $log"
  return 1
}

list=
[ "${1:-}" != --list ] || { list=1; shift; }
[ $# -gt 0 ] || set -- build check cluster
find_missing "$@"
[ ${#todo[@]} -gt 0 ] || exit 0
if [ -n "$list" ]; then
  printf '%s\n' "${todo[@]}"
  exit 0
fi
say "Debian packages to install: ${todo[*]}"
command -v apt-get >/dev/null || { say "packages.sh: this is no Debian; please provide them"; exit 1; }
sudo=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { say "packages.sh: run as root, or install sudo"; exit 1; }
  sudo=sudo
fi
forbid_daemons
install "${todo[@]}"
disable_daemons "${todo[@]}"
say "  installed"
