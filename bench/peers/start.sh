# What every `run` does first: sourced, not run. Leaves the shell in the peer's folder, with as many descriptors as allowed.
set -eu
: "${PORT:?set PORT}"
cd "$(dirname "$0")"
peers=$(cd .. && pwd)
built=${CARGO_TARGET_DIR:-$peers/../../target}/peers

# The peer is not to be had here.
missing() {
    echo "$(basename "$PWD"): $1; see bench/peers/install" >&2
    exit 3
}

ulimit -n "$(ulimit -Hn)"
export NODE_ENV=production
