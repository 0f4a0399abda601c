;; Arrays of a megabyte, each dropped at once.
(module
  (type $bytes (array (mut i8)))
  (func (export "churn") (param $times i32) (param $size i32) (result i32)
    (local $kept (ref null $bytes)) (local $sum i32)
    (loop $again
      (local.set $kept (array.new_default $bytes (local.get $size)))
      (array.set $bytes (local.get $kept) (i32.const 0) (i32.const 1))
      (local.set $sum (i32.add (local.get $sum) (array.get_u $bytes (local.get $kept) (i32.const 0))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum)))
