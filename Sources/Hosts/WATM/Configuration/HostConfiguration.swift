import WasmWASI
import WasmdDocuments
import WasmdGuests

/// The configuration of a host as the original reads it: a JSON document.
///
///     {
///       "transport_module": {"bin": "plain.wasm", "config": "plain.cfg"},
///       "network": {
///         "address_validator": {"catch_all": false, "allowlist": {"localhost:7700": ["tcp"]}},
///         "listener": {"network": "tcp", "address": "127.0.0.1:8000"}
///       },
///       "module": {"argv": ["plain"], "env": {"MODE": "quiet"}, "preopened_dirs": {"data": "/data"}}
///     }
///
/// Members that are missing or null have their defaults. Members of `runtime`, which concern the
/// original's engine, have no effect; members that are not known are faults.
public struct HostConfiguration: Sendable {
    /// Paths of the module and of the guest's configuration.
    public var module: String?
    public var configuration: String?
    public var addresses = AddressPolicy()
    /// The network of the listener, and its address.
    public var listener: (network: String, address: String)?
    /// Where to listen, as `--listen` takes it: a network of datagrams or unix sockets is before the
    /// address.
    public var listenAddress: String? {
        guard let (network, address) = listener else { return nil }
        switch network {
        case "udp", "udp4", "udp6": return "udp:" + address
        case "unix" where !address.utf8.starts(with: "unix:".utf8): return "unix:" + address
        default: return address
        }
    }
    public var arguments: [String]?
    public var environment: [(name: String, value: String)] = []
    public var inheritsInput = false
    public var inheritsOutput: Bool?
    public var inheritsError: Bool?
    /// Folders of the host, and the guest's names for them.
    public var folders: [(host: String, guest: String)] = []

    /// What is wrong with a document.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// The names of the members that lead to it, such as `network.listener.address`; empty for
        /// the whole.
        public let path: String
        public let text: String

        public var description: String { path.isEmpty ? text : "\(path): \(text)" }
    }

    /// - Throws: the first fault.
    public init(_ bytes: [UInt8]) throws(Fault) {
        let document: Document
        do {
            document = try JSONReader.read(bytes)
        } catch {
            throw Fault(path: "", text: "no JSON: \(error)")
        }
        let root = try Members(
            document, "",
            [
                "transport_module", "network", "module", "runtime",
            ])
        if let part = try root.object("transport_module", ["bin", "config"]) {
            module = try part.string("bin")
            configuration = try part.string("config")
        }
        if let part = try root.object("network", ["address_validator", "listener", "dialer_func"]) {
            if let validator = try part.object(
                "address_validator", ["catch_all", "allowlist", "denylist"])
            {
                addresses.allowsOthers = try validator.boolean("catch_all") ?? false
                addresses.allowed = try validator.entries("allowlist")
                addresses.denied = try validator.entries("denylist")
            }
            if let part = try part.object("listener", ["network", "address"]),
                let address = try part.string("address")
            {
                listener = (try part.string("network") ?? "tcp", address)
            }
        }
        if let part = try root.object(
            "module",
            [
                "argv", "env", "inherit_stdin", "inherit_stdout", "inherit_stderr",
                "preopened_dirs",
            ])
        {
            arguments = try part.strings("argv")
            environment = try part.pairs("env")
            inheritsInput = try part.boolean("inherit_stdin") ?? false
            inheritsOutput = try part.boolean("inherit_stdout")
            inheritsError = try part.boolean("inherit_stderr")
            folders = try part.pairs("preopened_dirs").map { ($0.name, $0.value) }
        }
        _ = try root.object("runtime", ["force_interpreter", "do_not_close_on_context_done"])
    }
}

/// The members of an object, with the path that leads to it.
private struct Members {
    typealias Fault = HostConfiguration.Fault

    private let document: Document
    private let path: String

    /// - Parameter known: the names that the object may have; nil for any.
    init(_ document: Document, _ path: String, _ known: [String]?) throws(Fault) {
        guard let members = document.objectValue else {
            throw Fault(path: path, text: "an object is expected")
        }
        for member in members where known?.contains(where: { $0 == member.name }) == false {
            throw Fault(
                path: path,
                text: "\"\(HarmlessText.text(member.name, atMost: 80))\" is no setting; known are "
                    + (known ?? []).joined(separator: ", "))
        }
        self.document = document
        self.path = path
    }

    private func path(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// The member; nil if it is missing or null.
    private func value(_ name: String) -> Document? {
        guard let value = document[name], value != .null else { return nil }
        return value
    }

    func object(_ name: String, _ known: [String]?) throws(Fault) -> Members? {
        guard let value = value(name) else { return nil }
        return try Members(value, path(name), known)
    }

    func string(_ name: String) throws(Fault) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else {
            throw Fault(path: path(name), text: "a string is expected")
        }
        return text
    }

    func boolean(_ name: String) throws(Fault) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .boolean(let isSet) = value else {
            throw Fault(path: path(name), text: "true or false is expected")
        }
        return isSet
    }

    func strings(_ name: String) throws(Fault) -> [String]? {
        guard let value = value(name) else { return nil }
        return try Self.strings(value, path(name))
    }

    private static func strings(_ value: Document, _ path: String) throws(Fault) -> [String] {
        guard let elements = value.arrayValue else {
            throw Fault(path: path, text: "an array of strings is expected")
        }
        var texts: [String] = []
        for element in elements {
            guard let text = element.stringValue else {
                throw Fault(path: path, text: "an array of strings is expected")
            }
            texts.append(text)
        }
        return texts
    }

    /// An object whose members are strings.
    func pairs(_ name: String) throws(Fault) -> [(name: String, value: String)] {
        guard let value = value(name) else { return [] }
        guard let members = value.objectValue else {
            throw Fault(path: path(name), text: "an object of strings is expected")
        }
        var pairs: [(name: String, value: String)] = []
        for member in members {
            guard let text = member.value.stringValue else {
                throw Fault(path: path(name), text: "an object of strings is expected")
            }
            pairs.append((member.name, text))
        }
        return pairs
    }

    /// Addresses, each with a list of networks.
    func entries(_ name: String) throws(Fault) -> [AddressPolicy.Entry] {
        guard let value = value(name) else { return [] }
        guard let members = value.objectValue else {
            throw Fault(path: path(name), text: "an object of addresses is expected")
        }
        var entries: [AddressPolicy.Entry] = []
        for member in members {
            let networks = try Self.strings(member.value, path(name))
            entries.append(AddressPolicy.Entry(member.name, networks: networks))
        }
        return entries
    }
}
