;; A service that answers with 64 KiB, whatever it is asked.
(module
    (memory (export "memory") 2 2)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "resident:app/service-entrypoints#handle-query") (param i32 i32) (result i32)
        (i32.store (i32.const 32) (i32.const 1024))
        (i32.store (i32.const 36) (i32.const 65536))
        (i32.const 32)))
