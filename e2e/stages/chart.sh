#!/usr/bin/env bash
# The chart: helm finds nothing to complain about, it refuses what is wrong, and an apiserver takes what it renders.
set -euo pipefail
exec "$(dirname "$0")/../cluster/chart-check.sh"
