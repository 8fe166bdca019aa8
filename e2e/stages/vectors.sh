#!/usr/bin/env bash
# The metrics APIs of the operator, under the sanitizers, against what prometheus-adapter was seen to answer.
#
# env: TRIMTAB (the binary; build/asan/trimtab)
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset asan
cmake --build --preset asan --target trimtab
exec python3 -B e2e/vectors/vectors.py "$@"
