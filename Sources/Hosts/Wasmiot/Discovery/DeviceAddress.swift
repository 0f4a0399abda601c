import WasmSystem
import WasmdHTTP

/// Where a device can be reached, as others are told.
public struct DeviceAddress: Sendable {
    /// An address of the internet; that of a wildcard is found by the way to the orchestrator.
    public var listener: SystemAddress

    public init(listener: SystemAddress) { self.listener = listener }

    /// The address as text, without port and brackets; nil for a wildcard.
    public var text: String? {
        switch listener {
        case .ipv4(let bytes, _) where bytes.contains { $0 != 0 }:
            return bytes.map { String($0) }.joined(separator: ".")
        case .ipv6(let bytes, _) where bytes.contains { $0 != 0 }:
            let groups = stride(from: 0, to: 15, by: 2).compactMap { index in
                index + 1 < bytes.count
                    ? UInt16(truncatingIfNeeded: bytes[index]) << 8
                        | UInt16(truncatingIfNeeded: bytes[index + 1]) : nil
            }
            return IPAddress(v6: groups).map { String(decoding: $0.bytes, as: UTF8.self) }
        default: return nil
        }
    }
}
