;; Tail calls that leave the instance: the frame is replaced, memory and globals change, and the
;; caller gets its own back.

(module $A
  (type $f (func (param i32 i64) (result i64)))
  (type $wide (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i32) (result i64)))
  (memory 1)
  (data (i32.const 0) "\01")
  (table (export "table") 4 funcref)
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (func $even (export "even") (type $f)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect (type $f)
      (i32.sub (local.get 0) (i32.const 1))
      (i64.add (local.get 1) (i64.load8_u (i32.const 0)))
      (i32.const 1)))
  (elem (i32.const 0) func $even))
(register "A" $A)

(module $B
  (type $f (func (param i32 i64) (result i64)))
  (type $wide (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i32) (result i64)))
  (import "A" "table" (table 4 funcref))
  (import "A" "even" (func $even (type $f)))
  (import "spectest" "print_i32" (func $print (param i32)))
  (memory 1)
  (data (i32.const 0) "\0a")
  (func $odd (export "odd") (type $f)
    (if (i32.eqz (local.get 0)) (then (return (i64.sub (i64.const 0) (local.get 1)))))
    (return_call $even
      (i32.sub (local.get 0) (i32.const 1))
      (i64.add (local.get 1) (i64.load8_u (i32.const 0)))))
  (elem (i32.const 1) func $odd)

  ;; the caller's memory is its own again after a chain through A
  (func (export "after") (param i32) (result i64 i32)
    (call $odd (local.get 0) (i64.const 0)) (i32.load8_u (i32.const 0)))
  (func (export "host") (param i32) (return_call $print (local.get 0)))
  (func (export "host-and-back") (result i32)
    (call $to-host (i32.const 3)) (i32.load8_u (i32.const 0)))
  (func $to-host (param i32) (return_call $print (local.get 0)))

  ;; frames that grow and shrink from call to call
  (func $narrow (param i64 i32) (result i64)
    (if (i32.eqz (local.get 1)) (then (return (local.get 0))))
    (return_call $wide
      (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
      (i64.const 6) (i64.const 7) (i64.const 8) (i32.sub (local.get 1) (i32.const 1))))
  (func $wide (type $wide)
    (return_call $narrow
      (i64.add (i64.add (local.get 0) (local.get 1)) (local.get 8)) (local.get 9)))
  (func (export "sizes") (param i32) (result i64)
    (call $narrow (i64.const 0) (local.get 0)))

  (func $into-trap (param i32) (result i64)
    (return_call_indirect (type $wide)
      (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
      (i64.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (local.get 0)))
  (func (export "bad-target") (param i32) (result i64) (call $into-trap (local.get 0)))

  (func $by-ref (param $n i32) (param $f (ref null $f)) (result i64)
    (return_call_ref $f (local.get $n) (i64.const 5) (local.get $f)))
  (elem declare func $even $odd)
  (func (export "ref-own") (param i32) (result i64) (call $by-ref (local.get 0) (ref.func $odd)))
  (func (export "ref-other") (param i32) (result i64)
    (call $by-ref (local.get 0) (ref.func $even)))
  (func (export "ref-null") (result i64) (call $by-ref (i32.const 0) (ref.null $f))))

(assert_return (invoke $B "odd" (i32.const 0) (i64.const 4)) (i64.const -4))
(assert_return (invoke $B "odd" (i32.const 1) (i64.const 0)) (i64.const 10))
(assert_return (invoke $B "odd" (i32.const 2) (i64.const 0)) (i64.const -11))
(assert_return (invoke $A "even" (i32.const 3) (i64.const 0)) (i64.const -12))
;; deeper than any stack
(assert_return (invoke $A "even" (i32.const 1000000) (i64.const 0)) (i64.const 5500000))
(assert_return (get $A "calls") (i32.const 500005))
(assert_return (invoke $B "after" (i32.const 999)) (i64.const 5499) (i32.const 10))
(assert_return (invoke $B "host" (i32.const 1)))
(assert_return (invoke $B "host-and-back") (i32.const 10))
(assert_return (invoke $B "sizes" (i32.const 100000)) (i64.const 900000))
(assert_trap (invoke $B "bad-target" (i32.const 0)) "indirect call type mismatch")
(assert_trap (invoke $B "bad-target" (i32.const 2)) "uninitialized element")
(assert_trap (invoke $B "bad-target" (i32.const 4)) "undefined element")
(assert_return (invoke $B "ref-own" (i32.const 0)) (i64.const -5))
(assert_return (invoke $B "ref-other" (i32.const 0)) (i64.const 5))
(assert_return (invoke $B "ref-other" (i32.const 3)) (i64.const -17))
(assert_trap (invoke $B "ref-null") "null function reference")
