;; 1,025 vectors, all empty but the last, which has 8 bytes: 8 bytes are written.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "eight by")
  (func (export "_start")
    (i32.store (i32.const 9192) (i32.const 0)) (i32.store (i32.const 9196) (i32.const 8)) ;; vector 1024 at 1000 + 8 * 1024
    (drop (call $write (i32.const 2) (i32.const 1000) (i32.const 1025) (i32.const 16)))
    (call $exit (i32.load (i32.const 16)))))
