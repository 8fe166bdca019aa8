#!/usr/bin/env bash
# The CRD's tests against an apiserver of their own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cluster_up --no-kcm
python3 -B "$root/crds/tests/test_crds.py"
