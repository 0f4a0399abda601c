;; 150 threads, each with an array of 8 MB.
(module
  (import "env" "memory" (memory 1 100 shared))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (type $a (array (mut i64)))
  (global $g (mut (ref null $a)) (ref.null $a))
  (func (export "wasi_thread_start") (param i32 i32)
    (global.set $g (array.new $a (i64.const 7) (i32.const 1000000)))
    (loop $l (br $l)))
  (func (export "_start") (local $i i32)
    (loop $l
      (drop (call $spawn (i32.const 0)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 150))))
    (loop $m (br $m))))
