// Stands for the toolchain's module `Glibc`, which exists only for the machine that compiles.

@_exported import CLibrary

@_silgen_name("__errno_location")
private func errnoLocation() -> UnsafeMutablePointer<Int32>

public var errno: Int32 { errnoLocation().pointee }

/// Declared with a variable number of arguments, which Swift does not import.
@_silgen_name("open")
public func open(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32

/// The same: with a third argument of type `int`.
@_silgen_name("fcntl")
public func fcntl(_ descriptor: Int32, _ command: Int32, _ argument: Int32) -> Int32

public func fcntl(_ descriptor: Int32, _ command: Int32) -> Int32 {
    fcntl(descriptor, command, 0)
}

/// The same: with a last argument of type `mode_t`.
@_silgen_name("openat")
public func openat(
    _ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t
) -> Int32

/// The same: with an address.
@_silgen_name("ioctl")
public func ioctl(_ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer)
    -> Int32

/// Casts in C.
public typealias SignalHandler = @convention(c) (Int32) -> Void
public var SIG_DFL: SignalHandler? { nil }
public var SIG_IGN: SignalHandler? { unsafeBitCast(1, to: SignalHandler?.self) }

/// A macro in C.
public var MAP_FAILED: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: -1) }
