import WasmSystem
import WasmWASI
import WasmdHTTPServer

/// The sockets of a daemon, opened before it restricts itself: those that its settings name, and
/// those that systemd has opened for it.
struct DaemonListeners: Sendable {
    struct Bound: Sendable {
        let personality: DaemonSettings.Personality
        /// What was asked for; nil for a socket of systemd.
        let wanted: SocketAddress?
        let sockets: ListeningSockets

        /// Where it can be reached.
        var place: String {
            guard let wanted else { return ServeMessages.place(sockets.address) }
            return ServeMessages.place(sockets.address, wanted)
        }
    }

    let bound: [Bound]

    init(_ settings: DaemonSettings) throws(Refusal) {
        let count = settings.common.loops ?? availableProcessors()
        var bound: [Bound] = []
        for (number, name) in ServiceManager.sockets() {
            let personality = DaemonSettings.Personality(rawValue: name) ?? .executor
            let file = "socket \(number) of systemd"
            do throws(SystemError) {
                let sockets = try ListeningSockets(
                    adopting: FileDescriptor(owning: number), loopCount: count)
                bound.append(Bound(personality: personality, wanted: nil, sockets: sockets))
            } catch {
                throw Refusal(file: file, reason: "cannot listen: \(error.text)")
            }
            if personality.takesCode, !Self.isLocal(bound[bound.count - 1].sockets.address),
                !settings.admitsOthers
            {
                throw Refusal(file: file, reason: DaemonSettings.othersNeedTokens)
            }
        }
        var wanted = settings.namedListeners
        if wanted.isEmpty, bound.isEmpty, settings.transports.isEmpty {
            wanted = [DaemonSettings.standardListener]
        }
        for listener in wanted {
            do throws(SystemError) {
                bound.append(
                    Bound(
                        personality: listener.personality, wanted: listener.address,
                        sockets: try ListeningSockets(
                            listener.address.system, loopCount: count)))
            } catch {
                throw Refusal(
                    file: "\(listener.address)", reason: "cannot listen: \(error.text)")
            }
        }
        self.bound = bound
    }

    /// Whether only this machine can reach it.
    private static func isLocal(_ address: SystemAddress?) -> Bool {
        switch address {
        case .ipv4(let bytes, _)?: bytes.first == 127
        case .ipv6(let bytes, _)?: bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        case .unix?: true
        case nil: false
        }
    }
}
