/// `fibo` as the published module counts (fibo(5) = 8, fibo(7) = 21), `subtract`, and a trap.
let fiboText = """
    (module
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
      (func (export "subtract") (param i64 i64) (result i64)
        (i64.sub (local.get 0) (local.get 1)))
      (func (export "fibo_from_pointers") (param i32 i32 i32) (result i32) unreachable)
      (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
      (func (export "is_even") (param i32) (result i32)
        (i32.eqz (i32.and (local.get 0) (i32.const 1))))
      (func (export "spin") (loop (br 0)))
      (func (export "nothing"))
      (memory (export "memory") 1))
    """

/// Each call returns the next number of Fibonacci: 1, 2, 3, 5, 8.
let statefulText = """
    (module
      (memory (export "memory") 1)
      (func (export "_initialize")
        (i64.store (i32.const 8) (i64.const 1))
        (i64.store (i32.const 16) (i64.const 0)))
      (func (export "stateful_fibo") (result i64) (local i64)
        (local.set 0 (i64.add (i64.load (i32.const 8)) (i64.load (i32.const 16))))
        (i64.store (i32.const 16) (i64.load (i32.const 8)))
        (i64.store (i32.const 8) (local.get 0))
        (local.get 0)))
    """

/// Copies the file `in` to `out` with each byte increased by one; `size` is the size of `data`; prints
/// a line. Paths are relative to the folder `.`, descriptor 3.
let fileText = """
    (module
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
      (memory (export "memory") 4)
      (data (i32.const 100) "in")
      (data (i32.const 110) "out")
      (data (i32.const 120) "data")
      (data (i32.const 130) "a line\\nand a part")
      (func $file (param i32 i32 i32 i64) (result i32)
        (if (call $open (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (local.get 2)
              (local.get 3) (i64.const 0) (i32.const 0) (i32.const 80))
          (then unreachable))
        (i32.load (i32.const 80)))
      (func $all (param i32) (result i32)
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 65536))
        (if (call $read (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))
          (then unreachable))
        (drop (call $close (local.get 0)))
        (i32.load (i32.const 8)))
      (func (export "convert") (local i32 i32 i32)
        (local.set 0
          (call $all (call $file (i32.const 100) (i32.const 2) (i32.const 0) (i64.const 2))))
        (block (loop
          (br_if 1 (i32.ge_u (local.get 1) (local.get 0)))
          (i32.store8 offset=1024 (local.get 1)
            (i32.add (i32.load8_u offset=1024 (local.get 1)) (i32.const 1)))
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br 0)))
        (local.set 2 (call $file (i32.const 110) (i32.const 3) (i32.const 9) (i64.const 64)))
        (i32.store (i32.const 4) (local.get 0))
        (if (call $write (local.get 2) (i32.const 0) (i32.const 1) (i32.const 8))
          (then unreachable))
        (drop (call $close (local.get 2))))
      (func (export "size") (result i32)
        (call $all (call $file (i32.const 120) (i32.const 4) (i32.const 0) (i64.const 2))))
      (func (export "print") (result i32)
        (i32.store (i32.const 0) (i32.const 130))
        (i32.store (i32.const 4) (i32.const 17))
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    """

/// Takes an image of a fixed capacity and writes all of it to `image.jpeg`, as the published module
/// does; `dynamic` returns the size of an image for which it is asked for memory.
let cameraText = """
    (module
      (import "camera" "takeImageStaticSize" (func $take (param i32 i32)))
      (import "camera" "takeImageDynamicSize" (func $takeAll (param i32 i32)))
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
      (memory (export "memory") 32)
      (data (i32.const 100) "image.jpeg")
      (func (export "alloc") (param i32) (result i32) (i32.const 2048))
      (func (export "take_image_predefined_path")
        (i32.store (i32.const 60) (i32.const 921600))
        (call $take (i32.const 65536) (i32.const 60))
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 10) (i32.const 9)
              (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 80))
          (then unreachable))
        (i32.store (i32.const 0) (i32.const 65536))
        (i32.store (i32.const 4) (i32.const 921600))
        (if (call $write (i32.load (i32.const 80)) (i32.const 0) (i32.const 1) (i32.const 8))
          (then unreachable))
        (drop (call $close (i32.load (i32.const 80)))))
      (func (export "dynamic") (result i32)
        (call $takeAll (i32.const 40) (i32.const 44))
        (i32.add
          (i32.mul (i32.load (i32.const 44)) (i32.const 1000))
          (i32.load8_u (i32.load (i32.const 40))))))
    """
