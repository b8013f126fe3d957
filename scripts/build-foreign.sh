#!/usr/bin/env bash
# Builds the contracts that are written without the SDK, in C and in AssemblyScript, to target/foreign/<language>.wasm.
#
# They are fixtures of one test (crates/wasm/tests/foreign): what other compilers make has to be accepted and to run.
set -euo pipefail

usage() {
    cat <<'END'
Builds the test contracts in other languages to target/foreign/c.wasm and target/foreign/assemblyscript.wasm.

Usage: scripts/build-foreign.sh [--help]

Needs clang with lld for C, and Node.js with npm for AssemblyScript. What is missing is installed with apt-get where
that is possible; the AssemblyScript compiler is installed by npm under target/foreign.
END
}

say() { echo "build-foreign: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

SOURCES=crates/wasm/tests/foreign
OUTPUT=target/foreign
CLANG_PACKAGES=(clang-19 lld-19)
NODE_PACKAGES=(nodejs npm)
# What this version of the compiler asks for.
NODE_VERSION=20
ASSEMBLYSCRIPT=assemblyscript@0.28.20

installs() {
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 1
    say "installing $* with apt-get"
    apt-get update >&2 || return 1
    apt-get install -y --no-install-recommends "$@" >&2 || return 1
}

has_clang() { command -v clang-19 >/dev/null && command -v wasm-ld-19 >/dev/null; }

has_node() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge "$NODE_VERSION" ]
}

build_c() {
    has_clang || { installs "${CLANG_PACKAGES[@]}" && has_clang; } ||
        fail "no C compiler for Wasm; run 'apt-get install ${CLANG_PACKAGES[*]}' and try again"
    # The features that newer versions of this compiler turn on by themselves.
    local features=(-mbulk-memory -mmultivalue -mnontrapping-fptoint -mreference-types -msign-ext)
    clang-19 --target=wasm32-unknown-unknown "${features[@]}" -O2 -Wall -Wextra -Werror -Wno-unused-parameter \
        -nostdlib -Wl,--no-entry -Wl,-z,stack-size=65536 -o "$OUTPUT/c.wasm" "$SOURCES/counter.c" ||
        fail "the C contract does not compile; see above"
}

build_assemblyscript() {
    has_node || { installs "${NODE_PACKAGES[@]}" && has_node; } ||
        fail "no Node.js $NODE_VERSION or newer with npm; install it from your distribution or nodejs.org and try again"
    if [ "$(cat "$OUTPUT/assemblyscript.installed" 2>/dev/null)" != "$ASSEMBLYSCRIPT" ]; then
        say "installing $ASSEMBLYSCRIPT under $OUTPUT"
        npm install --prefix "$OUTPUT" --no-save --no-package-lock --no-audit --no-fund "$ASSEMBLYSCRIPT" >&2 ||
            fail "npm cannot install $ASSEMBLYSCRIPT; see above"
        echo "$ASSEMBLYSCRIPT" >"$OUTPUT/assemblyscript.installed"
    fi
    # The compiler and the transform are looked up from where the sources are.
    cp "$SOURCES/counter.ts" "$SOURCES/names.mjs" "$OUTPUT"
    (cd "$OUTPUT" && node_modules/.bin/asc counter.ts --transform ./names.mjs --use abort=counter/abort \
        --runtime stub --optimize --outFile assemblyscript.wasm) ||
        fail "the AssemblyScript contract does not compile; see above"
}

case "${1:-}" in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

cd "$(dirname "$0")/.."
mkdir -p "$OUTPUT"
build_c
build_assemblyscript
for module in c assemblyscript; do
    say "$OUTPUT/$module.wasm: $(stat -c %s "$OUTPUT/$module.wasm") bytes"
done
