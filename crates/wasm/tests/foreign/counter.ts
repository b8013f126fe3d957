// The contract of counter.c in AssemblyScript. scripts/build-foreign.sh compiles it with `names.mjs`,
// because export names with `:` and `#` are more than the language can say.

@external("resident:app/storage", "read-value")
declare function readValue(key: usize, length: usize, result: usize): void;
@external("resident:app/storage", "write-batch")
declare function writeBatch(operations: usize, count: usize): void;
@external("resident:app/diagnostics", "panic")
declare function panic(message: usize, length: usize): void;

/** A list of bytes, as the canonical ABI lays it out in memory. */
@unmanaged
class Bytes {
  start: usize;
  length: usize;
}

/** `option<list<u8>>`. */
@unmanaged
class OptionalBytes {
  isSome: u8;
  start: usize;
  length: usize;
}

/** The case `put` of `write-operation`: the only one that is used here. */
@unmanaged
class Put {
  tag: u8 = 2;
  keyStart: usize;
  keyLength: usize;
  valueStart: usize;
  valueLength: usize;
}

/** "counter" */
const KEY: StaticArray<u8> = [0x63, 0x6f, 0x75, 0x6e, 0x74, 0x65, 0x72];

/** What `throw` and failed assertions become. */
function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = String.UTF8.encode(message === null ? "aborted" : message);
  panic(changetype<usize>(text), text.byteLength);
}

function parse(start: usize, length: usize): u64 {
  if (length != sizeof<u64>()) throw new Error("a number has eight bytes");
  return load<u64>(start);
}

function read(): u64 {
  const found = new OptionalBytes();
  readValue(changetype<usize>(KEY), KEY.length, changetype<usize>(found));
  return found.isSome ? parse(found.start, found.length) : 0;
}

function write(value: u64): void {
  const bytes: StaticArray<u64> = [value];
  const put = new Put();
  put.keyStart = changetype<usize>(KEY);
  put.keyLength = KEY.length;
  put.valueStart = changetype<usize>(bytes);
  put.valueLength = sizeof<u64>();
  writeBatch(changetype<usize>(put), 1);
}

/** What the host needs to hand over lists: arguments and what host functions return. */
export function reallocate(old: usize, oldSize: usize, align: usize, newSize: usize): usize {
  const start = heap.alloc(newSize);
  memory.copy(start, old, oldSize);
  return start;
}

export function instantiate(argument: usize, length: usize): void {
  write(parse(argument, length));
}

export function executeOperation(operation: usize, length: usize): usize {
  const sum = read() + parse(operation, length);
  write(sum);
  const response = new Bytes();
  response.start = heap.alloc(sizeof<u64>());
  response.length = sizeof<u64>();
  store<u64>(response.start, sum);
  return changetype<usize>(response);
}

/** The host has read the response: the heap starts anew. */
export function freeResponse(response: usize): void {
  heap.reset();
}

export function executeMessage(message: usize, length: usize): void {}
export function processStreams(updates: usize, count: usize): void {}
export function summarizeEvents(updates: usize, count: usize): void {}
export function finalize(): void {}
