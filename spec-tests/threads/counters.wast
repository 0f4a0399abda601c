;; Threads count in a shared memory: no increment is lost, and waiters are woken.

(module $M (memory (export "m") 1 2 shared))
(register "M" $M)

(thread $T1 (shared (module $M))
  (register "M" $M)
  (module
    (memory (import "M" "m") 1 2 shared)
    (func (export "run") (param $n i32)
      (loop $l
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (drop (i64.atomic.rmw8.add_u (i32.const 8) (i64.const 1)))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (drop (i32.atomic.rmw.add (i32.const 16) (i32.const 1)))
      (drop (memory.atomic.notify (i32.const 16) (i32.const 1)))))
  (invoke "run" (i32.const 20000)))
(thread $T2 (shared (module $M))
  (register "M" $M)
  (module
    (memory (import "M" "m") 1 2 shared)
    (func (export "run") (param $n i32)
      (local $old i32)
      (loop $l
        ;; the same by comparing and exchanging
        (loop $retry
          (local.set $old (i32.atomic.load (i32.const 0)))
          (br_if $retry
            (i32.ne (local.get $old)
              (i32.atomic.rmw.cmpxchg (i32.const 0) (local.get $old)
                (i32.add (local.get $old) (i32.const 1))))))
        (drop (i64.atomic.rmw8.add_u (i32.const 8) (i64.const 1)))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (drop (i32.atomic.rmw.add (i32.const 16) (i32.const 1)))
      (drop (memory.atomic.notify (i32.const 16) (i32.const 1)))))
  (invoke "run" (i32.const 20000)))

(module
  (memory (import "M" "m") 1 2 shared)
  ;; waits until both have said that they are done
  (func (export "both") (result i32)
    (local $seen i32)
    (loop $l
      (local.set $seen (i32.atomic.load (i32.const 16)))
      (if (i32.lt_u (local.get $seen) (i32.const 2))
        (then
          (drop (memory.atomic.wait32 (i32.const 16) (local.get $seen) (i64.const -1)))
          (br $l))))
    (i32.atomic.load (i32.const 0)))
  (func (export "byte") (result i64) (i64.atomic.load (i32.const 8)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))))
(assert_return (invoke "both") (i32.const 40000))
;; the byte went around and nothing was carried out of it
(assert_return (invoke "byte") (i64.const 64))
(wait $T1)
(wait $T2)

;; A thread sees memory that another one added.
(assert_return (invoke "grow") (i32.const 1))
(thread $T3 (shared (module $M))
  (register "M" $M)
  (module
    (memory (import "M" "m") 1 2 shared)
    (func (export "size") (result i32) (memory.size))
    (func (export "store") (i32.store (i32.const 0x1fffc) (i32.const 6))))
  (assert_return (invoke "size") (i32.const 2))
  (assert_return (invoke "store")))
(wait $T3)
