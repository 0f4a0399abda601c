import WasmSystem
import WasmWASI
import WasmdGuests
import WasmdHTTP
import WasmdOperation
import WasmdPrograms

/// The messages of servers, and how they are written (`ServeOutput.swift`).
enum ServeMessages {
    /// How a run ended that did not end well.
    static func text(_ request: RequestHead, _ result: RunResult) -> String {
        text(request, result, ending(result))
    }

    /// What a program printed that cannot be sent.
    static func text(
        _ request: RequestHead, _ result: RunResult, _ fault: CGIOutput.Fault
    ) -> String {
        text(request, result, "malformed header of the output: \(fault)")
    }

    private static func text(
        _ request: RequestHead, _ result: RunResult, _ ending: String
    ) -> String {
        let run = result.record.map { " [\($0.id)]" } ?? ""
        let path = name(Array(request.target.path))
        var lines = ["\(request.method.name) \(path): \(ending)\(run)"]
        if let trap = result.outcome.trap {
            lines += trap.frames.map { "  \($0)" }
            if trap.omittedFrameCount > 0 { lines.append("  and \(trap.omittedFrameCount) more") }
        }
        return lines.joined(separator: "\n")
    }

    private static func ending(_ result: RunResult) -> String {
        if let fault = result.error as? CGIOutput.Fault {
            return "malformed header of the output: \(fault)"
        }
        switch result.outcome {
        case .exited(let code): return "the program ended with \(code)"
        case .trapped(let trap): return "trap: \(trap.message)"
        default: return "\(result.outcome)"
        }
    }

    /// What changed in a served folder, or cannot be served.
    static func text(_ notice: FolderNotice) -> String {
        switch notice {
        case .notServed(let path, let reason): "\(name(path)): not served: \(text(reason))"
        case .unreadable(let path, let error): "\(name(path)): not served: \(error.text)"
        case .tooMany(let limit): "only the first \(limit) modules and folders are served"
        case .lost(.acces):
            "the folder cannot be read: \(SystemError.acces.text)\n"
                + "  Another folder of this name needs a restart; serve it with --no-sandbox to replace "
                + "it while it is served."
        case .lost(let error): "the folder cannot be read: \(error.text)"
        case .refused(let path, let reason, let keepsOld):
            "\(name(path)): \(printable(reason))"
                + (keepsOld ? "\n  The version before is served instead." : "")
        case .changed(let path): "\(name(path)): changed, the new version is served"
        case .added(let path): "\(name(path)): added"
        case .removed(let path): "\(name(path)): removed"
        }
    }

    private static func text(_ reason: FolderNotice.Reason) -> String {
        switch reason {
        case .name: "a parameter is written [name] or [...name], of letters, digits, _ and -"
        case .samePaths: "another program of its folder has a parameter in the same place"
        case .symbolicLink: "symbolic links are not followed"
        case .depth: "too many folders within each other"
        }
    }

    private static func name(_ path: [[UInt8]]) -> String {
        name(Array(path.joined(separator: [UInt8(ascii: "/")])))
    }

    private static func name(_ bytes: [UInt8]) -> String { printable(Word(bytes: bytes).text) }

    /// Where a listener can be reached.
    static func place(_ bound: SystemAddress?, _ wanted: SocketAddress) -> String {
        switch bound {
        case .ipv4(let bytes, let port)?:
            "http://\(bytes.map(String.init).joined(separator: ".")):\(port)/"
        case .ipv6(let bytes, let port)?: "http://[\(SystemAddress.ipv6Text(bytes))]:\(port)/"
        default: "\(wanted)"
        }
    }

    /// The same for a socket that somebody else has opened.
    static func place(_ bound: SystemAddress?) -> String {
        if case .unix(let path)? = bound { return "unix:\(name(path))" }
        return place(bound, .unixBytes([]))
    }

    /// An address that does not speak HTTP: `127.0.0.1:1884`.
    static func address(_ bound: SystemAddress?) -> String {
        let text = place(bound)
        return text.hasPrefix("http://") ? String(text.dropFirst(7).dropLast()) : text
    }
}
