;; Started with descriptors 0 to 2 closed; the file "kept" must stay empty.
(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "kept") (data (i32.const 16) "printed\n")
  (data (i32.const 32) "\10\00\00\00\08\00\00\00")
  (func (export "_start")
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 9)
                      (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 100)))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 104)))))
