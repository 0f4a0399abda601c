import Glibc

// Functions and constants of the C library that Swift's import of it leaves out: GNU extensions,
// headers that only Linux has, and `syscall`, which is variadic.
//
// Invariants:
// - Each declaration repeats the C prototype with types of the same size. Swift's calling
//   convention passes integers and pointers in the same registers as C's, on x86-64 (System V)
//   and on aarch64 (AAPCS64), and both return an integer in the same register. No declaration here
//   has a floating-point or structure parameter.
// - `syscall` is variadic in C. On these two platforms (not on Apple's aarch64) variadic integer
//   arguments are passed like named ones, and the function, written in assembly, does not read the
//   count of vector registers that C callers set up on x86-64. It passes six words on, of which the
//   kernel uses as many as the call has.

@_silgen_name("syscall")
func symbol_syscall(
    _ number: Int, _ a: Int, _ b: Int, _ c: Int, _ d: Int, _ e: Int, _ f: Int
) -> Int

@_silgen_name("preadv2")
func symbol_preadv2(
    _ descriptor: Int32, _ vectors: UnsafePointer<iovec>?, _ count: Int32, _ offset: Int,
    _ flags: Int32
) -> Int

@_silgen_name("pwritev2")
func symbol_pwritev2(
    _ descriptor: Int32, _ vectors: UnsafePointer<iovec>?, _ count: Int32, _ offset: Int,
    _ flags: Int32
) -> Int

@_silgen_name("getdents64")
func symbol_getdents64(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int
) -> Int

@_silgen_name("fallocate")
func symbol_fallocate(_ descriptor: Int32, _ mode: Int32, _ offset: Int, _ count: Int) -> Int32

@_silgen_name("ppoll")
func symbol_ppoll(
    _ descriptors: UnsafeMutablePointer<pollfd>?, _ count: UInt,
    _ timeout: UnsafePointer<timespec>?, _ mask: UnsafePointer<sigset_t>?
) -> Int32

@_silgen_name("getrandom")
func symbol_getrandom(
    _ buffer: UnsafeMutableRawPointer, _ count: Int, _ flags: UInt32
) -> Int

@_silgen_name("accept4")
func symbol_accept4(
    _ descriptor: Int32, _ address: UnsafeMutablePointer<sockaddr>?,
    _ length: UnsafeMutablePointer<socklen_t>?, _ flags: Int32
) -> Int32

@_silgen_name("tee")
func symbol_tee(_ source: Int32, _ target: Int32, _ count: Int, _ flags: UInt32) -> Int

@_silgen_name("pipe2")
func symbol_pipe2(_ descriptors: UnsafeMutablePointer<Int32>, _ flags: Int32) -> Int32

@_silgen_name("eventfd")
func symbol_eventfd(_ count: UInt32, _ flags: Int32) -> Int32

@_silgen_name("signalfd")
func symbol_signalfd(_ descriptor: Int32, _ mask: UnsafePointer<sigset_t>, _ flags: Int32) -> Int32

@_silgen_name("epoll_create1")
func symbol_epoll_create1(_ flags: Int32) -> Int32

@_silgen_name("epoll_ctl")
func symbol_epoll_ctl(
    _ poller: Int32, _ operation: Int32, _ descriptor: Int32, _ event: UnsafeMutableRawPointer?
) -> Int32

@_silgen_name("epoll_wait")
func symbol_epoll_wait(
    _ poller: Int32, _ events: UnsafeMutableRawPointer, _ count: Int32, _ milliseconds: Int32
) -> Int32

@_silgen_name("pthread_getattr_np")
func symbol_pthread_getattr_np(
    _ thread: pthread_t, _ attributes: UnsafeMutablePointer<pthread_attr_t>
) -> Int32

@_silgen_name("memfd_create")
func symbol_memfd_create(_ name: UnsafePointer<CChar>, _ flags: UInt32) -> Int32

/// Numbers of system calls that are the same on every architecture: Linux 5.3, 5.6, 5.9, 5.11.
let SYS_pidfd_open = 434
let SYS_close_range = 436
let SYS_openat2 = 437
let SYS_epoll_pwait2 = 441
#if arch(x86_64)
    let SYS_futex = 202
    let SYS_prctl = 157
    let SYS_ioctl = 16
    let SYS_seccomp = 317
#elseif arch(arm64)
    let SYS_futex = 98
    let SYS_prctl = 167
    let SYS_ioctl = 29
    let SYS_seccomp = 277
#else
    #error("the number of the system call futex on this processor")
#endif

let SPLICE_F_NONBLOCK: UInt32 = 2
@usableFromInline let O_PATH: Int32 = 0o10_000_000
let RWF_NOWAIT: Int32 = 8
let RESOLVE_NO_MAGICLINKS: UInt64 = 0x02
let RESOLVE_NO_SYMLINKS: UInt64 = 0x04
let RESOLVE_BENEATH: UInt64 = 0x08
let UTIME_NOW = (1 << 30) - 1
let UTIME_OMIT = (1 << 30) - 2
let F_ADD_SEALS: Int32 = 1033
let EPOLL_CTL_ADD: Int32 = 1
let EPOLL_CTL_DEL: Int32 = 2
let EPOLL_CTL_MOD: Int32 = 3
let EPOLLIN: UInt32 = 0x001
let EPOLLOUT: UInt32 = 0x004
let EPOLLERR: UInt32 = 0x008
let EPOLLHUP: UInt32 = 0x010
let EPOLLRDHUP: UInt32 = 0x2000
let EPOLLONESHOT: UInt32 = 1 << 30
let EPOLLET: UInt32 = 1 << 31

@_silgen_name("malloc_trim")
func symbol_malloc_trim(_ padding: Int) -> Int32
