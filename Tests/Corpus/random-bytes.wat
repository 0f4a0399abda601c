;; Calls of 4 GiB.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 65535)
  (func (export "_start")
    (loop $l (drop (call $random_get (i32.const 0) (i32.const 0xfffe0000))) (br $l))))
