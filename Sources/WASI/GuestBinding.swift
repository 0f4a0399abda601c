import WasmInterpreter

/// The guest of a store, where WASI functions shared by many stores find it.
final class GuestBinding: Sendable {
    let guest: WASIGuest
    /// The number of the guest's thread that the store belongs to.
    let thread: UInt32
    let isTraced: Bool
    /// The binding that it replaced during a call, which may be a call of that guest's functions.
    private let previous: GuestBinding?

    init(_ guest: WASIGuest, thread: UInt32 = 0, previous: GuestBinding? = nil) {
        self.guest = guest
        self.thread = thread
        self.previous = previous
        isTraced = guest.trace != nil
    }

    /// Calls use the value without retaining it: see `bind`.
    static let key = HostKey<GuestBinding>()
}

/// A function of WASI was called in a store that has no guest: see `Store.wasiGuest`.
public struct NoWASIGuest: Error, Hashable, Sendable {
    public init() {}
}

extension NoWASIGuest: CustomStringConvertible {
    public var description: String {
        "a function of WASI was called in a store without a guest: set store.wasiGuest first"
    }
}

extension Store {
    /// The guest that the functions of `Linker.defineWASI` use for instances of this store.
    ///
    ///     let prepared = try linker.prepare(module)
    ///     // for each guest
    ///     let store = Store(engine: engine)
    ///     store.wasiGuest = try WASIGuest(wasi)
    ///     let status = try prepared.instantiate(in: store).runCommand()
    ///
    /// Memory kept for the guest is charged to the account of the first store that it is given to.
    /// Must be set between calls, by the thread that uses the store.
    public var wasiGuest: WASIGuest? {
        get { self[GuestBinding.key]?.guest }
        set {
            guard let newValue else {
                // During a call of one of the guest's functions the guest must be kept until the
                // call ends.
                if !isRunning { self[GuestBinding.key] = nil }
                return
            }
            bind(newValue)
        }
    }

    /// Binds the store to a thread of a guest.
    func bind(_ guest: WASIGuest, thread: UInt32 = 0) {
        guest.adopt(self)
        let previous = isRunning ? self[GuestBinding.key] : nil
        self[GuestBinding.key] = GuestBinding(guest, thread: thread, previous: previous)
    }
}

extension Linker {
    /// Defines the functions of WASI preview 1, as `wasi_snapshot_preview1` and under the older
    /// name `wasi_unstable`, for the guest of the caller's store (`Store.wasiGuest`). One linker,
    /// and the modules that it prepares, can be used for any number of guests.
    ///
    ///     linker.defineWASI()
    ///     let prepared = try linker.prepare(module)
    ///
    /// A function that is called in a store without a guest ends the call with `NoWASIGuest`.
    public func defineWASI() {
        for table in [FunctionTable.preview1, .unstable] {
            define(table.module) { table[$0]?.shared }
        }
    }
}
