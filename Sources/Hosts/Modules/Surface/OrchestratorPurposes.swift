import WasmdHTTP
import WasmdOperation

/// What requests to the orchestrator are for, by the first segments of their paths. It owns all
/// paths of its listener: whatever has no route gets wasmiot's answer for that. Nothing that it keeps
/// is kept apart by tenants: their tokens may do what says so here, and nothing else.
enum OrchestratorPurposes {
    private static func purpose(
        _ route: String, _ scope: Scopes?, tenants: TenantAccess = .refused
    ) -> Purpose {
        Purpose("orchestrator", route, needs: scope, tenants: tenants)
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
    /// Devices read these and call core services without a token: the surface checks them.
    private static let moduleFile = Area("/file/module/{module}/{file}", read: nil)
    private static let core = Area("/{deployment}/modules/{module}", read: nil, write: nil)
    private static let logs = Area("/device/logs", read: .read, write: nil)
    private static let devices = Area("/file/device")
    private static let manifests = Area("/file/manifest")
    private static let execute = purpose("/execute/{deployment}", .run)
    private static let executions = Area("/executions", write: .run)
    private static let health = purpose("/health", nil, tenants: .admitted)
    private static let description = purpose(
        "/.well-known/wasmiot-device-description", nil, tenants: .admitted)
    private static let pages = purpose("/", nil, tenants: .admitted)
    private static let export = purpose("/export", .read)
    private static let importing = purpose("/import", .write)
    private static let options = purpose("(options)", nil, tenants: .admitted)
    private static let others = Area("(others)")

    static func of(_ head: RequestHead) -> Purpose {
        if head.method == .options { return options }
        guard let path = try? Path(head.target.path) else { return others.read }
        let area: Area
        let segments = path.segments.filter { !$0.isEmpty }
        func named(_ index: Int, _ text: StaticString) -> Bool {
            index < segments.count && segments[index].elementsEqual("\(text)".utf8)
        }
        if named(0, "file"), named(1, "module") {
            area = segments.count == 4 ? moduleFile : modules
        } else if named(0, "file"), named(1, "device") {
            area = devices
        } else if named(0, "file"), named(1, "manifest") {
            // Sending a deployment starts it; that is not a run of its own.
            area = manifests
        } else if named(0, "device"), named(1, "logs") {
            area = logs
        } else if named(0, "execute") {
            return execute
        } else if named(0, "executions") {
            area = executions
        } else if named(0, "health") {
            return health
        } else if named(0, ".well-known") {
            return description
        } else if named(0, "export") {
            return export
        } else if named(0, "import") {
            return importing
        } else if segments.isEmpty || named(0, "docs") || named(0, "utils.js")
            || named(0, "openapi.json")
        {
            return pages
        } else if segments.count == 4, named(1, "modules") {
            area = core
        } else {
            area = others
        }
        return head.method == .get || head.method == .head ? area.read : area.write
    }
}
