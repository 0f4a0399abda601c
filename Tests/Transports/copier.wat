;; A transport of v0 that copies both ways, in all three roles, as the published ones do: it waits for
;; three descriptors with poll_oneoff, and reads 16 KiB at a time. The tests, trials and the search for
;; faults read this file; some replace its parts, each of which is between two lines that name it.
(module
  (import "env" "host_dial" (func $host_dial (result i32)))
  (import "env" "host_accept" (func $host_accept (result i32)))
  (import "env" "pull_config" (func $pull_config (result i32)))
  (import "env" "host_defer" (func $host_defer))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
    (func $flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  ;; part imports
  ;; end imports
  (memory (export "memory") 2)
  (global $caller (mut i32) (i32.const -1))
  (global $other (mut i32) (i32.const -1))
  (global $cancel (mut i32) (i32.const -1))
  (func $subscribe (param $at i32) (param $fd i32)
    (i64.store (local.get $at) (i64.extend_i32_u (local.get $fd)))
    (i32.store8 offset=8 (local.get $at) (i32.const 1))
    (i32.store offset=16 (local.get $at) (local.get $fd))
    (drop (call $flags (local.get $fd) (i32.const 4))))
  ;; Copies what there is; 0 at the end, 1 otherwise.
  (func $copy (param $from i32) (param $to i32) (result i32) (local $errno i32)
    (i32.store (i32.const 600) (i32.const 65536))
    (i32.store (i32.const 604) (i32.const 16384))
    (local.set $errno
      (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608)))
    ;; 6 is EAGAIN
    (if (i32.eq (local.get $errno) (i32.const 6)) (then (return (i32.const 1))))
    (if (local.get $errno) (then (return (i32.const 0))))
    (if (i32.eqz (i32.load (i32.const 608))) (then (return (i32.const 0))))
    (if (i32.eq (local.get $to) (i32.const -1)) (then (return (i32.const 0))))
    (i32.store (i32.const 604) (i32.load (i32.const 608)))
    (if (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))
      (then (return (i32.const 0))))
    ;; A short write would lose bytes.
    (i32.eq (i32.load (i32.const 612)) (i32.load (i32.const 604))))
  ;; part marker
  (func (export "_water_v0"))
  ;; end marker
  (func (export "_water_init") (result i32)
    ;; part initialise
    (i32.const 0)
    ;; end initialise
  )
  (func (export "_water_dial") (param i32) (result i32)
    ;; part dial
    (global.set $caller (local.get 0))
    (global.set $other (call $host_dial))
    (global.get $other)
    ;; end dial
  )
  (func (export "_water_accept") (param i32) (result i32)
    ;; part accept
    (global.set $caller (local.get 0))
    (global.set $other (call $host_accept))
    (global.get $other)
    ;; end accept
  )
  ;; part relay
  (func (export "_water_associate") (result i32)
    ;; part associate
    (global.set $caller (call $host_accept))
    (if (i32.lt_s (global.get $caller) (i32.const 0)) (then (return (global.get $caller))))
    (global.set $other (call $host_dial))
    (if (i32.lt_s (global.get $other) (i32.const 0)) (then (return (global.get $other))))
    (i32.const 0)
    ;; end associate
  )
  ;; end relay
  (func (export "_water_cancel_with") (param i32) (result i32)
    (global.set $cancel (local.get 0)) (i32.const 0))
  (func (export "_water_worker") (result i32)
    ;; part worker
    (call $subscribe (i32.const 0) (global.get $cancel))
    (call $subscribe (i32.const 48) (global.get $caller))
    (call $subscribe (i32.const 96) (global.get $other))
    (loop $again
      (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 3) (i32.const 512)))
      (if (i32.eqz (call $copy (global.get $cancel) (i32.const -1)))
        (then (return (i32.const -11))))
      (if (i32.eqz (call $copy (global.get $caller) (global.get $other)))
        (then (return (i32.const 0))))
      (if (i32.eqz (call $copy (global.get $other) (global.get $caller)))
        (then (return (i32.const 0))))
      (br $again))
    (unreachable)
    ;; end worker
  )
  ;; part others
  ;; end others
)
