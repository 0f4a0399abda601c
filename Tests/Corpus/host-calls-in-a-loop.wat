;; A loop that hands out all of a slice of budget; then each unit is one long call of the host.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 16)
  (func (export "_start") (local $i i32)
    (loop $w (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $w (i32.lt_u (local.get $i) (i32.const 300000))))
    (loop $l (drop (call $random_get (i32.const 0) (i32.const 65536))) (br $l))))
