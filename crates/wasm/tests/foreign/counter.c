// A contract without an SDK: it keeps a number under one key, adds what operations say, and
// responds with the sum. Numbers are eight bytes, little-endian.
//
// Freestanding; scripts/build-foreign.sh compiles it.

typedef unsigned char byte;
typedef unsigned long size;
typedef unsigned long long number;

// A list of bytes, as the canonical ABI lays it out in memory.
struct bytes {
    const void *start;
    size length;
};

// `option<list<u8>>`.
struct optional_bytes {
    byte is_some;
    struct bytes value;
};

// The case `put` of `write-operation`: the only one that is used here.
struct put {
    byte tag;
    struct bytes key;
    struct bytes value;
};

enum { PUT = 2 };

#define IMPORT(interface, name) __attribute__((import_module("resident:app/" interface), import_name(name)))
#define ENTRY(name) __attribute__((export_name("resident:app/contract-entrypoints#" name)))

IMPORT("storage", "read-value") void read_value(const void *key, size length, struct optional_bytes *result);
IMPORT("storage", "write-batch") void write_batch(const struct put *operations, size count);
IMPORT("diagnostics", "panic") __attribute__((noreturn)) void panic(const char *message, size length);

static const char KEY[] = "counter";
static const char MESSAGE[] = "a number has eight bytes";

// The heap is everything behind the program's own data. It starts anew after each operation.
extern byte __heap_base;
static size heap;

static size available(void) {
    return __builtin_wasm_memory_size(0) << 16;
}

// What the host needs to hand over lists: arguments and what host functions return.
__attribute__((export_name("cabi_realloc"))) void *reallocate(void *old, size old_size, size align, size new_size) {
    if (heap == 0)
        heap = (size)&__heap_base;
    size start = (heap + align - 1) & -align;
    while (start + new_size > available()) {
        if (__builtin_wasm_memory_grow(0, 1 + (new_size >> 16)) == (size)-1)
            __builtin_trap();
    }
    heap = start + new_size;
    if (old_size > 0)
        __builtin_memcpy((void *)start, old, old_size);
    return (void *)start;
}

static number parse(struct bytes bytes) {
    number value = 0;
    if (bytes.length != sizeof value)
        panic(MESSAGE, sizeof MESSAGE - 1);
    __builtin_memcpy(&value, bytes.start, sizeof value);
    return value;
}

static number load(void) {
    struct optional_bytes found;
    read_value(KEY, sizeof KEY - 1, &found);
    return found.is_some ? parse(found.value) : 0;
}

static void store(number value) {
    struct put put = {
        .tag = PUT,
        .key = {KEY, sizeof KEY - 1},
        .value = {&value, sizeof value},
    };
    write_batch(&put, 1);
}

ENTRY("instantiate") void instantiate(const void *argument, size length) {
    store(parse((struct bytes){argument, length}));
}

ENTRY("execute-operation") const struct bytes *execute_operation(const void *operation, size length) {
    static number sum;
    static struct bytes response = {&sum, sizeof sum};
    sum = load() + parse((struct bytes){operation, length});
    store(sum);
    return &response;
}

// The host has read the response.
__attribute__((export_name("cabi_post_resident:app/contract-entrypoints#execute-operation"))) void
free_response(const struct bytes *response) {
    heap = 0;
}

ENTRY("execute-message") void execute_message(const void *message, size length) {}
ENTRY("process-streams") void process_streams(const void *updates, size count) {}
ENTRY("summarize-events") void summarize_events(const void *updates, size count) {}
ENTRY("finalize") void finalize(void) {}
