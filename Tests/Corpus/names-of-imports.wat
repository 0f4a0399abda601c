;; The name section has the names of imported functions' parameters.
(module
  (import "host" "stop" (func $stop (param $code i32)))
  (func $own (param $reason i32) (call $stop (local.get $reason))))
