import WasmWASI
import WasmdDocuments

/// `wess.toml`, the configuration of the program *wess*.
///
/// | setting | here |
/// |---|---|
/// | `server.address`, `server.port` | where the surface of wess listens |
/// | `writer.channel_size` | raises the limit of writes that wait |
/// | `runner.channel_size` | raises the limit of runs that wait |
/// | `database.db`, `database.stage` | nothing, as in wess: `--data` names the folder |
/// | `reader.channel_size`, `reader.cache_size`, `runner.cache_size` | nothing: reads do not queue, and caches are measured in bytes |
///
/// Sizes of channels never lower a limit: where wess lets a sender wait, this server would refuse.
/// As in wess, other settings are ignored.
struct WessFile: Equatable {
    var address: SocketAddress?
    var waitingWrites: Int?
    var waitingRuns: Int?

    /// Returns the settings, and what is wrong.
    static func read(_ text: [UInt8]) -> (WessFile, [SettingsProblem]) {
        let source: TOML.Source
        do throws(TOMLError) {
            source = try TOML.Source(text)
        } catch {
            return (
                WessFile(), [SettingsProblem(path: "", place: error.place, text: error.text)]
            )
        }
        let file = Settings(source)
        let sizes: ClosedRange<Int64> = 1...Int64(UInt32.max)
        var read = WessFile()
        let server = file.root.table("server")
        let named = server.text("address") ?? "0.0.0.0"
        let host = named == "localhost" ? "127.0.0.1" : named
        let port = server.integer("port", in: 0...65535) ?? 80
        let isVersion6 = host.utf8.contains(UInt8(ascii: ":")) && !host.hasPrefix("[")
        if server.has("address") || server.has("port") {
            let text = isVersion6 ? "[\(host)]:\(port)" : "\(host):\(port)"
            read.address = SocketAddress(Array(text.utf8))
            if read.address == nil { server.complain("address", "expected an IP address") }
        }
        let writer = file.root.table("writer")
        read.waitingWrites = writer.integer("channel_size", in: sizes).map { Int(clamping: $0) }
        let runner = file.root.table("runner")
        read.waitingRuns = runner.integer("channel_size", in: sizes).map { Int(clamping: $0) }
        let reader = file.root.table("reader")
        let database = file.root.table("database")
        // Looked at, so that a value of another type is found.
        _ = (runner.integer("cache_size", in: sizes), reader.integer("cache_size", in: sizes))
        _ = (reader.integer("channel_size", in: sizes), database.text("db"))
        _ = database.text("stage")
        return (read, file.found)
    }

    /// Changes what the file says something about.
    func apply(to settings: inout DaemonSettings) {
        if let address { settings.wess.listen = [address] }
        if let waitingWrites {
            settings.common.limits.writes = max(settings.common.limits.writes, waitingWrites)
        }
        if let waitingRuns {
            settings.common.limits.waiting = max(settings.common.limits.waiting, waitingRuns)
        }
    }
}
