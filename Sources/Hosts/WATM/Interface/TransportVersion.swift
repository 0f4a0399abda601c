import WasmInterpreter

/// The interface between a transport module and its host, as the module's exports show it.
public enum TransportVersion: String, Sendable, CaseIterable {
    /// `_water_v0`: one worker for each connection, and a cancel channel.
    case v0
    /// `watm_init_v1` and others: the same with other names, and addresses that the guest chooses.
    case v1
    /// `_water_v1`: the preview of the Rust host. Functions for reading and writing, or an entry
    /// that serves by itself.
    case preview = "v1-preview"
    /// The preview before its names had the prefix `_water_`.
    case olderPreview = "v1-preview-unprefixed"
}

/// What a transport does with a connection.
public enum TransportRole: String, Sendable, CaseIterable {
    /// Takes an application's connection in clear, and connects to a remote through the transport.
    case dial
    /// Accepts a peer through the transport, and continues in clear.
    case listen
    /// Accepts a peer and connects to a remote, both through the transport.
    case relay
    /// Serves by itself: its entry dials and listens.
    case run
}

extension TransportVersion {
    /// The version that a name among a module's exports shows.
    private static func shown(by name: Name) -> TransportVersion? {
        switch name {
        case "_water_v0": .v0
        case "_water_v1": .preview
        case "V1": .olderPreview
        default:
            TransportInterface.v1.functions.contains { $0.name == name } ? .v1 : nil
        }
    }

    /// The version of a module with these exports; nil if they show none.
    static func detected(in names: [Name]) -> TransportVersion? {
        let shown = names.compactMap(shown(by:))
        if let first = allCases.first(where: shown.contains) { return first }
        // A preview without its marker.
        return names.contains("v1_listen") ? .preview : nil
    }
}
