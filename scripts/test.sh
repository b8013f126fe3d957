#!/usr/bin/env bash
# Builds the example contracts and runs every check of the workspace: formatting, lints, docs, unit tests,
# doc tests, and the scenario suite on every engine and session.
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: scripts/test.sh [--quick]

Builds the example contracts and those in other languages (scripts/build-contracts.sh and scripts/build-foreign.sh
install what that needs, or say what to install), then runs, stopping at the first failure:
  cargo fmt --check
  cargo clippy --workspace --all-targets -- -D warnings
  cargo doc --workspace --no-deps              with warnings denied
  cargo deny check bans licenses sources       if cargo-deny is installed
  cargo test -p resident-sdk -p fungible ...   with the feature graphql
  cargo test --workspace                       unit tests, doc tests, scenarios on all engines and sessions
  a small run of the demo                      which fails if any two outcomes differ

  --quick   only the contracts and the tests
EOT
}

quick=false
case "${1:-}" in
    "") ;;
    --quick) quick=true ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

cd "$(dirname "$0")/.."
# What has GraphQL. No package of the workspace asks for it by default: it would switch on features of what the
# engines are made of too.
GRAPHQL=(-p resident-sdk -p resident-sdk-derive -p fungible --features resident-sdk/graphql,fungible/graphql)
step() { printf '\n== %s\n' "$*" >&2; }

step "contracts"
scripts/build-contracts.sh
step "contracts in other languages"
scripts/build-foreign.sh

if ! $quick; then
    step "formatting"
    cargo fmt --all --check
    step "lints"
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked "${GRAPHQL[@]}" --all-targets -- -D warnings
    step "documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
    if cargo deny --version >/dev/null 2>&1; then
        step "dependencies"
        cargo deny --locked check bans licenses sources
    else
        step "dependencies: skipped, cargo-deny is not installed (cargo install --locked cargo-deny)"
    fi
fi

step "tests"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked --workspace | tee "$log"
cargo test --locked "${GRAPHQL[@]}" | tee -a "$log"

step "demo, small"
# The tests of the node have built it. Building it apart would build the engines again, with other features.
resident=${CARGO_TARGET_DIR:-target}/debug/resident
"$resident" demo --orders 20 --repetitions 1
"$resident" demo --orders 20 --fail-every 5 --repetitions 1

step "all checks passed"
# Cargo tells the tests of each binary apart; this is all of them. A failure has ended the script before.
awk '/^test result: ok/ { passed += $4; skipped += $8 } END { print passed " passed, 0 failed, " skipped " skipped" }' "$log"
