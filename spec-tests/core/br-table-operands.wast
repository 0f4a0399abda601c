;; br_table carries operands to labels at different heights of the stack.

(module
  (func (export "one") (param i32) (result i32)
    (block $a (result i32)
      (block $b (result i32)
        (block $c (result i32)
          (i32.const 100) (local.get 0) (br_table $c $b $a))
        (i32.add (i32.const 1)))
      (i32.add (i32.const 2))))

  (func (export "heights") (param i32) (result i32)
    (i32.const 1)
    (block $a (result i32 i32)
      (i32.const 2)
      (block $b (result i32 i32)
        (i32.const 3)
        (block $c (result i32 i32)
          (i32.const 4) (i32.const 50) (i32.const 7) (local.get 0) (br_table $a $b $c $b))
        ;; 3 50 7
        (i32.sub) (i32.mul) (i32.const 1000))
      ;; 2 50 7, or 2 129 1000
      (i32.add) (i32.mul) (i32.const 1000))
    ;; 1 50 7, and so on
    (i32.sub) (i32.sub))

  (func (export "locals") (param i32 i32 i32) (result i32 i32)
    (block $a (result i32 i32)
      (block $b (result i32 i32)
        (local.get 2) (local.get 1)
        (local.set 1 (i32.const 9))
        (local.get 0) (br_table $a $b))
      (local.set 0) (local.set 2) (local.get 0) (local.get 2)))

  (func (export "loop") (param i32) (result i64)
    (i64.const 1) (i64.const 1)
    (loop $again (param i64 i64) (result i64)
      (block $leave (param i64 i64) (result i64 i64)
        (i64.mul (i64.const 2))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_table $leave $again (i32.gt_s (local.get 0) (i32.const 0))))
      (i64.add)))

  (func (export "from-function") (param i32) (result f64)
    (f64.const 1.5)
    (block $a (result f64)
      (f64.const 2.5) (f64.const 3.5) (local.get 0) (br_table 1 $a 1))
    (f64.add)))

(assert_return (invoke "one" (i32.const 0)) (i32.const 103))
(assert_return (invoke "one" (i32.const 1)) (i32.const 102))
(assert_return (invoke "one" (i32.const 2)) (i32.const 100))
(assert_return (invoke "one" (i32.const -1)) (i32.const 100))

;; 1 - (50 - 7)
(assert_return (invoke "heights" (i32.const 0)) (i32.const -42))
;; 2 * (50 + 7) = 114; 1 - (114 - 1000)
(assert_return (invoke "heights" (i32.const 1)) (i32.const 887))
;; 3 * (50 - 7) = 129; 2 * (129 + 1000) = 2258; 1 - (2258 - 1000)
(assert_return (invoke "heights" (i32.const 2)) (i32.const -1257))
(assert_return (invoke "heights" (i32.const 3)) (i32.const 887))

(assert_return (invoke "locals" (i32.const 0) (i32.const 5) (i32.const 6))
  (i32.const 6) (i32.const 5))
(assert_return (invoke "locals" (i32.const 1) (i32.const 5) (i32.const 6))
  (i32.const 5) (i32.const 6))

(assert_return (invoke "loop" (i32.const 1)) (i64.const 3))
(assert_return (invoke "loop" (i32.const 10)) (i64.const 1025))

(assert_return (invoke "from-function" (i32.const 0)) (f64.const 3.5))
(assert_return (invoke "from-function" (i32.const 1)) (f64.const 5))
(assert_return (invoke "from-function" (i32.const 2)) (f64.const 3.5))
