;; The functions of the published module `fibo`, and one that keeps a state.
(module
  (memory (export "memory") 1)
  (func (export "fibo") (param i64) (result i64) (local i64 i64 i64)
    (local.set 1 (i64.const 1))
    (local.set 2 (i64.const 1))
    (block (loop
      (br_if 1 (i64.le_s (local.get 0) (i64.const 1)))
      (local.set 3 (i64.add (local.get 1) (local.get 2)))
      (local.set 1 (local.get 2))
      (local.set 2 (local.get 3))
      (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
      (br 0)))
    (local.get 2))
  (func (export "next") (result i64)
    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
    (i64.load (i32.const 8))))
