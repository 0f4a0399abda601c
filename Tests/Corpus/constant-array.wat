;; A global of 2 GB, and a start that never ends.
(module
  (type $a (array (mut i64)))
  (global (ref $a) (array.new $a (i64.const 5) (i32.const 250000000)))
  (func (export "_start") (loop $l (br $l))))
