#!/usr/bin/env bash
# Builds the contracts and the services of all examples to target/contracts, and what only benches want when asked.
#
# Only this needs a Wasm toolchain, so it also finds one: rustup's target if it is there or can be added, otherwise
# Debian's compiler with a standard library built from its sources.
set -euo pipefail

usage() {
    cat <<'END'
Builds the contracts of the examples to target/contracts/<example>.wasm, and their services to
target/contracts/<example>-service.wasm.

Usage: scripts/build-contracts.sh [--help] [EXAMPLE...]

  EXAMPLE    a folder under examples/ (default: all of them), or under benches/: `kernels` is what metering is
             measured on

Environment:
  RESIDENT_CONTRACTS        the folder that they go to (default target/contracts); tests look there too if it is set
  RESIDENT_RUSTUP_SECONDS   how long rustup may take to add the Wasm target (default 60; 0: do not try)
END
}

say() { echo "build-contracts: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

TARGET=wasm32-unknown-unknown
FOLDER="${RESIDENT_CONTRACTS:-target/contracts}"
DEBIAN_PACKAGES=(rustc-web cargo-web rust-web-src lld-19)
PROFILE=(
    --config 'profile.contract.inherits="release"'
    --config 'profile.contract.opt-level=3'
    --config 'profile.contract.lto="fat"'
    --config 'profile.contract.codegen-units=1'
    --config 'profile.contract.panic="abort"'
    --config 'profile.contract.strip=true'
    --config 'profile.contract.debug=false'
    --profile contract
)

has_rustup_target() {
    command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -x "$TARGET" >/dev/null
}

adds_rustup_target() {
    local seconds="${RESIDENT_RUSTUP_SECONDS:-60}"
    command -v rustup >/dev/null && [ "$seconds" -gt 0 ] || return 1
    say "adding the target $TARGET with rustup (at most $seconds s)"
    timeout "$seconds" rustup target add "$TARGET" >&2 || return 1
}

is_new_enough() {
    local needed found
    needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    found=$("$1" --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n1)" = "$needed" ]
}

has_debian_packages() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && command -v wasm-ld-19 >/dev/null && is_new_enough /usr/bin/rustc &&
        [ -e "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

adds_debian_packages() {
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 1
    say "installing ${DEBIAN_PACKAGES[*]} with apt-get"
    apt-get update >&2 || return 1
    apt-get install -y --no-install-recommends "${DEBIAN_PACKAGES[@]}" >&2 || return 1
    has_debian_packages
}

# Sets CARGO, the command that builds for Wasm.
choose_toolchain() {
    if has_rustup_target; then
        say "using cargo with the installed target $TARGET"
        CARGO=(cargo build)
    elif has_debian_packages; then
        use_debian_packages
    elif adds_rustup_target; then
        CARGO=(cargo build)
    elif adds_debian_packages; then
        use_debian_packages
    else
        fail "no toolchain for $TARGET; run 'rustup target add $TARGET', or on Debian" \
            "'apt-get install ${DEBIAN_PACKAGES[*]}', and try again"
    fi
}

use_debian_packages() {
    say "using Debian's Rust ($(/usr/bin/rustc --version)) and building its standard library"
    # The packaged compiler has no standard library for Wasm; building one takes an unstable option.
    export PATH="/usr/bin:$PATH" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
    CARGO=(/usr/bin/cargo build -Zbuild-std=std,panic_abort)
}

# Panic messages name source files. Without the folders of this machine, the same source and compiler give the same bytes.
remap_paths() {
    local sysroot registry flags
    sysroot="$("${RUSTC:-rustc}" --print sysroot)"
    flags="\"--remap-path-prefix=$PWD=/workspace\", \"--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rust\""
    # Before the first download there are no folders in it, so it is named as a whole.
    registry="${CARGO_HOME:-$HOME/.cargo}/registry/src"
    flags+=", \"--remap-path-prefix=$registry=/registry\""
    # Joined with the flags in .cargo/config.toml, unlike RUSTFLAGS, which would replace them.
    CARGO+=(--config "target.$TARGET.rustflags=[$flags]")
}

has_service() { [ -e "examples/$1/src/service.rs" ]; }

# Each by itself: the feature that one of them asks for would change all that is built with it.
build_service() {
    local features=()
    ! grep -q '^graphql = ' "examples/$1/Cargo.toml" || features=(--features graphql)
    "${CARGO[@]}" "${PROFILE[@]}" --target "$TARGET" -p "$1" --bin "${1//-/_}_service" "${features[@]}" >&2 ||
        fail "the build failed; see above"
}

# Copies a built binary into the folder, under another name.
keep() {
    cp "$CARGO_TARGET_DIR/$TARGET/contract/$1.wasm" "$FOLDER/$2.wasm"
    say "$FOLDER/$2.wasm: $(stat -c %s "$FOLDER/$2.wasm") bytes"
}

main() {
    if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
        usage
        return
    fi
    cd "$(dirname "$0")/.."
    local examples=("$@")
    if [ ${#examples[@]} = 0 ]; then
        examples=()
        for manifest in examples/*/Cargo.toml; do
            examples+=("$(basename "$(dirname "$manifest")")")
        done
    fi

    local packages=() example
    for example in "${examples[@]}"; do
        [ -e "examples/$example/src/contract.rs" ] || [ -e "benches/$example/src/contract.rs" ] ||
            fail "neither examples/$example nor benches/$example has a contract; see --help"
        packages+=(-p "$example" --bin "${example//-/_}_contract")
    done

    choose_toolchain
    remap_paths
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target/wasm}"
    "${CARGO[@]}" "${PROFILE[@]}" --target "$TARGET" "${packages[@]}" >&2 ||
        fail "the build failed; see above"

    for example in "${examples[@]}"; do
        ! has_service "$example" || build_service "$example"
    done

    mkdir -p "$FOLDER"
    for example in "${examples[@]}"; do
        keep "${example//-/_}_contract" "$example"
        ! has_service "$example" || keep "${example//-/_}_service" "$example-service"
    done
}

main "$@"
