#!/usr/bin/env bash
# Builds everything that the demo needs and runs it. Standard output carries the demo's report only, so that --json
# can be piped.
set -euo pipefail

usage() {
    cat <<'END'
Builds the example contracts and the `resident` command, and runs the demo: one block of an order book on every
engine and session.

Usage: scripts/demo.sh [OPTION...]

Options are passed to `resident demo`, which lists them with

    scripts/demo.sh --options
END
}

case "${1:-}" in
    -h | --help)
        usage
        exit
        ;;
    --options)
        shift
        set -- --help "$@"
        ;;
esac

here=$PWD
cd "$(dirname "$0")/.."
scripts/build-contracts.sh >&2
cargo build --release --quiet -p resident-node --bin resident >&2
contracts=$PWD/target/contracts
binary=$(realpath "${CARGO_TARGET_DIR:-target}/release/resident")

# Folders among the options are the caller's.
cd "$here"
case " $* " in
    *" --contracts"*) exec "$binary" demo "$@" ;;
    *) exec "$binary" demo --contracts "$contracts" "$@" ;;
esac
