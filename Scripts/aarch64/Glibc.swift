// Stands for the toolchain's module `Glibc`, which exists only for the machine that compiles.

@_exported import CLibrary

@_silgen_name("__errno_location")
private func errnoLocation() -> UnsafeMutablePointer<Int32>

public var errno: Int32 { errnoLocation().pointee }

/// Declared with a variable number of arguments, which Swift does not import.
@_silgen_name("open")
public func open(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32
