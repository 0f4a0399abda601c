;; 16,384 subscriptions that are ready, polled again and again.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (func (export "_start") (local $i i32)
    (loop $fill
      (i32.store8 (i32.add (local.get $i) (i32.const 8)) (i32.const 2))
      (i32.store (i32.add (local.get $i) (i32.const 16)) (i32.const 1))
      (local.set $i (i32.add (local.get $i) (i32.const 48)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.const 786432))))
    (loop $l
      (drop (call $poll_oneoff
        (i32.const 0) (i32.const 1000000) (i32.const 16384) (i32.const 2000000)))
      (br $l))))
