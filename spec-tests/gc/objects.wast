;; Objects live as long as somebody can reach them, wherever the reference is kept; what nobody
;; reaches makes room again.

(module $A
  (rec
    (type $node (struct (field $value i64) (field $next (mut (ref null $node)))))
    (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree)))))
  (type $bytes (array (mut i8)))
  (type $nodes (array (mut (ref null $node))))
  (type $all (struct
    (field $i8 (mut i8)) (field $i16 (mut i16)) (field $i32 i32) (field $i64 (mut i64))
    (field $f32 f32) (field $f64 (mut f64)) (field $any (mut anyref)) (field $func funcref)))
  (global $list (mut (ref null $node)) (ref.null $node))
  (table $t 4 anyref)

  (func $cons (export "cons") (param i64 (ref null $node)) (result (ref $node))
    (struct.new $node (local.get 0) (local.get 1)))
  (func $sum (param $l (ref null $node)) (result i64)
    (local $sum i64)
    (block $end
      (loop $again
        (br_if $end (ref.is_null (local.get $l)))
        (local.set $sum (i64.add (local.get $sum) (struct.get $node $value (local.get $l))))
        (local.set $l (struct.get $node $next (local.get $l)))
        (br $again)))
    (local.get $sum))
  (func (export "build") (param $n i64)
    (local $l (ref null $node))
    (loop $again
      (local.set $l (call $cons (local.get $n) (local.get $l)))
      (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
    (global.set $list (local.get $l)))
  (func (export "sum-of-list") (result i64) (call $sum (global.get $list)))
  ;; garbage in great amount while the list is only in a global
  (func (export "waste") (param $n i32)
    (loop $again
      (drop (array.new $bytes (i32.const 1) (i32.const 1000)))
      (drop (call $cons (i64.const 1) (ref.null $node)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  ;; references that are only operands while others are made
  (func (export "operands") (param $n i32) (result i64)
    (local $sum i64)
    (loop $again
      (local.set $sum
        (i64.add (local.get $sum)
          (call $sum
            (call $cons (i64.const 1)
              (call $cons (i64.const 2) (call $cons (i64.const 3) (ref.null $node)))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func $make-tree (export "make-tree") (param i32) (result (ref null $tree))
    (if (result (ref null $tree)) (i32.eqz (local.get 0))
      (then (ref.null $tree))
      (else
        (struct.new $tree
          (call $make-tree (i32.sub (local.get 0) (i32.const 1)))
          (call $make-tree (i32.sub (local.get 0) (i32.const 1)))))))
  (func $count (param (ref null $tree)) (result i32)
    (if (result i32) (ref.is_null (local.get 0))
      (then (i32.const 0))
      (else
        (i32.add (i32.const 1)
          (i32.add (call $count (struct.get $tree $left (local.get 0)))
            (call $count (struct.get $tree $right (local.get 0))))))))
  (func (export "trees") (param $depth i32) (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum
        (i32.add (local.get $sum) (call $count (call $make-tree (local.get $depth)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "cycle") (param $n i32)
    (local $a (ref null $node))
    (loop $again
      (local.set $a (call $cons (i64.const 1) (ref.null $node)))
      (struct.set $node $next (local.get $a) (local.get $a))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "in-array") (param $n i32) (result i64)
    (local $array (ref $nodes)) (local $i i32)
    (local.set $array (array.new_default $nodes (local.get $n)))
    (loop $again
      (array.set $nodes (local.get $array) (local.get $i)
        (call $cons (i64.extend_i32_u (local.get $i)) (ref.null $node)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (array.copy $nodes $nodes (local.get $array) (i32.const 1) (local.get $array) (i32.const 0)
      (i32.sub (local.get $n) (i32.const 1)))
    (i64.add
      (call $sum (array.get $nodes (local.get $array) (i32.const 0)))
      (call $sum
        (array.get $nodes (local.get $array) (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "in-table") (result i32 i32)
    (table.set $t (i32.const 0) (array.new $bytes (i32.const 0x1ff) (i32.const 5)))
    (table.set $t (i32.const 1) (ref.i31 (i32.const -1)))
    (array.get_u $bytes (ref.cast (ref $bytes) (table.get $t (i32.const 0))) (i32.const 4))
    (i31.get_u (ref.cast i31ref (table.get $t (i32.const 1)))))
  (func $seven (result i32) (i32.const 7))
  (elem declare func $seven)
  (func (export "fields") (result i32 i32 i32 i64 f32 f64 i32 i32)
    (local $s (ref $all))
    (local.set $s
      (struct.new $all (i32.const 0x180) (i32.const -1) (i32.const 3) (i64.const -4)
        (f32.const 1.5) (f64.const -2.5) (ref.i31 (i32.const 5)) (ref.func $seven)))
    (struct.get_s $all $i8 (local.get $s)) (struct.get_u $all $i16 (local.get $s))
    (struct.get $all $i32 (local.get $s)) (struct.get $all $i64 (local.get $s))
    (struct.get $all $f32 (local.get $s)) (struct.get $all $f64 (local.get $s))
    (i31.get_s (ref.cast i31ref (struct.get $all $any (local.get $s))))
    (call_ref $f (ref.cast (ref $f) (struct.get $all $func (local.get $s)))))
  (type $f (func (result i32)))
  ;; the object is made before the field that follows is computed
  (func (export "old-field") (result i64)
    (local $n (ref $node))
    (local.set $n (call $cons (i64.const 1) (ref.null $node)))
    (struct.set $node $next (local.get $n) (call $cons (i64.const 2) (ref.null $node)))
    (struct.get $node $next (local.get $n))
    (struct.set $node $next (local.get $n) (ref.null $node))
    (call $sum)))
(register "A" $A)

(assert_return (invoke "build" (i64.const 200000)))
(assert_return (invoke "sum-of-list") (i64.const 20000100000))
(assert_return (invoke "waste" (i32.const 100000)))
(assert_return (invoke "sum-of-list") (i64.const 20000100000))
(assert_return (invoke "operands" (i32.const 50000)) (i64.const 300000))
(assert_return (invoke "trees" (i32.const 10) (i32.const 100)) (i32.const 102300))
(assert_return (invoke "cycle" (i32.const 100000)))
(assert_return (invoke "in-array" (i32.const 10000)) (i64.const 9998))
(assert_return (invoke "in-table") (i32.const 255) (i32.const 0x7fffffff))
(assert_return (invoke "fields")
  (i32.const -128) (i32.const 65535) (i32.const 3) (i64.const -4) (f32.const 1.5)
  (f64.const -2.5) (i32.const 5) (i32.const 7))
(assert_return (invoke "old-field") (i64.const 2))
(assert_return (invoke "sum-of-list") (i64.const 20000100000))
(assert_return (invoke "cons" (i64.const 1) (ref.null none)) (ref.struct))
(assert_return (invoke "make-tree" (i32.const 0)) (ref.null))

;; Another instance with the same types uses the objects; one whose group differs does not.
(module $B
  (rec
    (type $n (struct (field i64) (field (mut (ref null $n)))))
    (type $t (struct (field (ref null $t)) (field (ref null $t)))))
  (type $alone (struct (field i64) (field (mut (ref null $alone)))))
  (import "A" "cons" (func $cons (param i64 (ref null $n)) (result (ref $n))))
  (import "A" "make-tree" (func $tree (param i32) (result (ref null $t))))
  (func (export "value") (result i64)
    (struct.get $n 0
      (struct.get $n 1 (call $cons (i64.const 1) (struct.new $n (i64.const 5) (ref.null $n))))))
  (func (export "tests") (result i32 i32 i32 i32 i32)
    (local $o anyref)
    (local.set $o (call $cons (i64.const 1) (ref.null $n)))
    (ref.test (ref $n) (local.get $o)) (ref.test (ref $alone) (local.get $o))
    (ref.test (ref struct) (local.get $o)) (ref.test (ref array) (local.get $o))
    (ref.test (ref null $t) (call $tree (i32.const 1))))
  (func (export "cast") (result anyref)
    (ref.cast (ref $alone) (call $any (call $cons (i64.const 1) (ref.null $n)))))
  (func $any (param anyref) (result anyref) (local.get 0))
  (func (export "branch") (param i32) (result i32)
    (block $struct (result (ref $n))
      (block $i31 (result (ref i31))
        (block $rest (result anyref)
          (call $pick (local.get 0))
          (br_on_cast $i31 anyref (ref i31))
          (br_on_cast $struct anyref (ref $n)))
        (ref.is_null)
        (return))
      (return (i31.get_s)))
    (i32.wrap_i64 (struct.get $n 0)))
  (func $pick (param i32) (result anyref)
    (block $c (block $b (block $a (br_table $a $b $c (local.get 0)))
        (return (ref.i31 (i32.const -40))))
      (return (struct.new $n (i64.const 50) (ref.null $n))))
    (ref.null none)))

(assert_return (invoke "value") (i64.const 5))
(assert_return (invoke "tests")
  (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
(assert_trap (invoke "cast") "cast failure")
(assert_return (invoke "branch" (i32.const 0)) (i32.const -40))
(assert_return (invoke "branch" (i32.const 1)) (i32.const 50))
(assert_return (invoke "branch" (i32.const 2)) (i32.const 1))
(assert_unlinkable
  (module
    (type $alone (struct (field i64) (field (mut (ref null $alone)))))
    (import "A" "cons" (func (param i64 (ref null $alone)) (result (ref $alone)))))
  "incompatible import type")
