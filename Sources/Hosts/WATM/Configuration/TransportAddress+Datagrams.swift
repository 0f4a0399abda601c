import WasmSystem
import WasmdEventLoop
import WasmdGuests

extension TransportAddress {
    /// Whether datagrams go there.
    public var carriesDatagrams: Bool { if case .datagrams = self { true } else { false } }

    /// Makes a socket for datagrams to the address, which looks a name up once.
    ///
    /// - Throws: `NameError`, `SystemError`, `GuestSocketError`.
    func connectDatagrams(
        _ resolver: Resolver?, _ form: GuestDatagrams.Form, _ limits: GuestSocketLimits,
        counts: DatagramCounts, on guests: GuestLoop
    ) async throws -> GuestSocket {
        let found: [SystemAddress]
        switch self {
        case .datagrams(let inner):
            return try await inner.connectDatagrams(
                resolver, form, limits, counts: counts, on: guests)
        case .address(let address): found = [address]
        case .host(let host, let port):
            found = try await (resolver ?? .ofSystem()).addresses(of: host, on: guests.loop).map {
                $0.with(port: port)
            }
        }
        var failure = SystemError.hostunreach
        for address in found {
            do {
                return try GuestDatagrams.connected(
                    to: address, form, limits, counts: counts, on: guests)
            } catch let error as SystemError {
                failure = error
            }
        }
        throw failure
    }
}

extension Transport {
    /// Checks that transports in a row can carry the datagrams that they are to carry.
    ///
    /// A side of datagrams needs a guest that knows them, or, if it is the side in clear, frames.
    ///
    /// - Parameters:
    ///   - chain: as of `TransportService`.
    ///   - listensForDatagrams: whether connections are sessions of peers that send datagrams.
    ///   - frames: whether datagrams may be carried in a stream.
    /// - Throws: `TransportError.datagrams`.
    public static func checkDatagrams(
        _ chain: [Transport], _ role: TransportRole, listensForDatagrams: Bool,
        to remote: TransportAddress?, frames: Bool
    ) throws(TransportError) {
        let (accepting, connecting) =
            role == .listen ? (chain.last, chain.first) : (chain.first, chain.last)
        if listensForDatagrams, accepting?.carriesDatagrams != true, !frames || role != .dial {
            throw .datagrams(Self.streamsOnly(isClear: role == .dial))
        }
        if remote?.carriesDatagrams == true, connecting?.carriesDatagrams != true,
            !frames || role != .listen
        {
            throw .datagrams(Self.streamsOnly(isClear: role == .listen))
        }
    }

    static func streamsOnly(isClear: Bool) -> String {
        let reason = "the module carries streams only: it does not export _water_datagrams"
        return reason
            + (isClear
                ? "; frame datagrams (--frame-datagrams, frame_datagrams) to carry them in a stream"
                : "; the transformed side of datagrams needs a module that does")
    }
}
