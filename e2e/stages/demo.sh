#!/usr/bin/env bash
# The demo as a test: its scenario with assertions, on a cluster of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset KUBECONFIG
DEMO_ASSERT=1 exec e2e/demo/demo.sh
