// Soundness: the bytes of the module are lent for the length of a call.

import WasmInterpreter
import WasmWASI
import WasmdDigests
import WasmdGuests

/// A program of WASI that is run for requests, with the scope of its runs.
public struct ServedProgram: Sendable {
    let guest: PreparedGuest
    let digest: SHA256.Digest
    /// Totals of its runs.
    public let scope: RunScope

    public var module: Module { guest.module }

    /// Resolves the imports and starts the program once, as far as it can be. Blocks: on a loop, to be
    /// called on a thread of the pool.
    ///
    /// - Parameters:
    ///   - name: for records of runs.
    ///   - world: its variables and folders are those of all runs.
    /// - Throws: `NoStartFunction` if the module is no command; `LinkError` if it imports more than
    ///   WASI; what ends each instance when it is made: `Trap`, `ResourceError`.
    public init(_ module: Module, name: String, in world: WASI = WASI()) throws {
        guard module.export("_start")?.kind == .function else { throw NoStartFunction() }
        guest = try PreparedGuest(module, in: world)
        // Without a start function nothing of the guest has run: it would fail in the same way
        // for each request.
        if module.parsed.start == nil, case .failure(let error) = guest.obstacle { throw error }
        digest = unsafe module.parsed.bytes.withUnsafeBytes { bytes in
            unsafe SHA256.hash(RawSpan(_unsafeBytes: bytes))
        }
        scope = RunScope(.module, name)
    }

    func request(in world: WASI) -> RunRequest {
        RunRequest(guest, digest: digest, module: scope, in: world)
    }
}
