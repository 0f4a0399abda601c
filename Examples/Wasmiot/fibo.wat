;; What a chain of devices calls: a number of Fibonacci.
(module
  (func (export "fibo") (param $n i64) (result i64) (local $a i64) (local $b i64) (local $c i64)
    (local.set $a (i64.const 1))
    (local.set $b (i64.const 1))
    (block $done
      (loop $next
        (br_if $done (i64.le_s (local.get $n) (i64.const 1)))
        (local.set $c (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $c))
        (local.set $n (i64.sub (local.get $n) (i64.const 1)))
        (br $next)))
    (local.get $b)))
