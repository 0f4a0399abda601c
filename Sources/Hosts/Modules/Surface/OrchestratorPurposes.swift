import WasmdHTTP
import WasmdOperation

/// What requests to the orchestrator are for, by the first segments of their paths. It owns all
/// paths of its listener: whatever has no route gets wasmiot's answer for that.
enum OrchestratorPurposes {
    private static func purpose(_ route: String, _ scope: Scopes?) -> Purpose {
        Purpose("orchestrator", route, needs: scope)
    }

    private struct Area {
        let read: Purpose
        let write: Purpose

        init(_ route: String, read: Scopes? = .read, write: Scopes? = .write) {
            self.read = purpose(route, read)
            self.write = purpose(route, write)
        }
    }

    private static let modules = Area("/file/module")
    private static let devices = Area("/file/device")
    private static let manifests = Area("/file/manifest")
    /// Devices ask for these without a token of their own.
    private static let logs = Area("/device/logs", read: .read, write: nil)
    private static let execute = purpose("/execute/{deployment}", .run)
    private static let health = purpose("/health", nil)
    private static let description = purpose("/.well-known/wasmiot-device-description", nil)
    private static let options = purpose("(options)", nil)
    private static let others = Area("(others)")

    static func of(_ head: RequestHead) -> Purpose {
        if head.method == .options { return options }
        guard let path = try? Path(head.target.path) else { return others.read }
        let area: Area
        let segments = path.segments
        func named(_ index: Int, _ text: StaticString) -> Bool {
            index < segments.count && segments[index].elementsEqual("\(text)".utf8)
        }
        if named(0, "file"), named(1, "module") {
            area = modules
        } else if named(0, "file"), named(1, "device") {
            area = devices
        } else if named(0, "file"), named(1, "manifest") {
            // Sending a deployment starts it; that is not a run of its own.
            area = manifests
        } else if named(0, "device"), named(1, "logs") {
            area = logs
        } else if named(0, "execute") {
            return execute
        } else if named(0, "health") {
            return health
        } else if named(0, ".well-known") {
            return description
        } else {
            area = others
        }
        return head.method == .get || head.method == .head ? area.read : area.write
    }
}
