import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdWATM

/// Where a transport takes connections, or datagrams: `127.0.0.1:80`, `unix:PATH`,
/// `udp:127.0.0.1:53`.
struct TransportListen: Sendable, Equatable, CustomStringConvertible {
    let address: SocketAddress
    let carriesDatagrams: Bool

    static let expected =
        "127.0.0.1:PORT, [::1]:PORT, unix:PATH, udp:127.0.0.1:PORT or udp:[::1]:PORT"
    static let expectedRemote = "HOST:PORT, [::1]:PORT, unix:PATH or udp:HOST:PORT"

    init?(_ bytes: [UInt8]) {
        let prefix = Array("udp:".utf8)
        carriesDatagrams = bytes.starts(with: prefix)
        guard
            let address = SocketAddress(
                carriesDatagrams ? Array(bytes.dropFirst(prefix.count)) : bytes)
        else { return nil }
        if carriesDatagrams, case .unix = address.system { return nil }
        self.address = address
    }

    var description: String { (carriesDatagrams ? "udp:" : "") + "\(address)" }

    /// A socket that takes connections or datagrams already.
    struct Socket: Sendable {
        let number: Int32
        let address: SystemAddress?
        let carriesDatagrams: Bool

        /// For people.
        var text: String {
            let place = address.map(TransportAddress.text) ?? "an address without a name"
            return (carriesDatagrams ? "udp:" : "") + place
        }
    }

    /// Opens it. From now on connections wait.
    func open() throws(Refusal) -> Socket {
        do throws(SystemError) {
            let number =
                carriesDatagrams
                ? try Kernel.bindDatagrams(address.system) : try Kernel.listen(address.system)
            return Socket(
                number: number, address: try Kernel.localAddress(number),
                carriesDatagrams: carriesDatagrams)
        } catch {
            throw Refusal(file: "\(self)", reason: "cannot listen: \(error.text)")
        }
    }
}
