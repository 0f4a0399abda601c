import WasmInterpreter
import WasmWASI

/// What the host gives to guests besides WASI: functions that threads may share, and shared
/// memories.
///
/// ```swift
/// let imports = GuestImports { linker in
///     linker.defineShared("env", "limit") { (caller: borrowing Caller) -> Int32 in
///         caller[Sessions.key]?.limit ?? 0
///     }
/// }
/// ```
///
/// Make one for each set of functions and keep it: prepared guests are told apart by its identity.
/// State of a single guest belongs into its store: see `HostKey` and `RunRequest.prepareStore`.
public final class GuestImports: Sendable {
    let define: @Sendable (Linker) -> Void

    /// - Parameter define: called for each module that is prepared, on any thread; after WASI was
    ///   defined, which it may replace.
    public init(_ define: @escaping @Sendable (Linker) -> Void) { self.define = define }

    /// Nothing besides WASI.
    public static let none = GuestImports { _ in }

    /// Defines them on a linker, without WASI: to list what there is.
    public func define(on linker: Linker) { define(linker) }

    /// A linker with WASI and these definitions.
    package func linker() -> Linker {
        let linker = Linker()
        linker.defineWASI()
        define(linker)
        return linker
    }
}
