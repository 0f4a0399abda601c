import WasmdHTTP
import WasmdOperation

/// What a path of a supervisor is.
enum SupervisorRoute: Equatable {
    case description
    case thing
    case health
    case register
    case deployments
    case deployment(String)
    /// The state of an instance, and the end of its hold.
    case state(deployment: String, module: String)
    case release(deployment: String, module: String)
    case api
    case history
    case entry(String)
    /// An output file; without a deployment that of the newest run.
    case result(deployment: String?, module: String, file: String)
    case run(deployment: String, module: String, function: String)
    case runFile(deployment: String, module: String, function: String, file: String)

    /// Nil if there is nothing at the path. Repeated slashes count as one; one at the end makes
    /// another path.
    init?(_ path: Path) {
        guard !path.isFolder else { return nil }
        // Names are UTF-8: they come from JSON.
        var names: [String] = []
        for segment in path.segments {
            guard let name = String(validating: segment, as: UTF8.self) else { return nil }
            names.append(name)
        }
        func named(_ index: Int, _ text: String) -> Bool {
            index < names.count && names[index].utf8.elementsEqual(text.utf8)
        }
        switch names.count {
        case 1 where named(0, "health"): self = .health
        case 1 where named(0, "register"): self = .register
        case 1 where named(0, "deploy"): self = .deployments
        case 1 where named(0, "request-history"): self = .history
        case 1 where named(0, "openapi.json"): self = .api
        case 2 where named(0, ".well-known") && named(1, "wasmiot-device-description"):
            self = .description
        case 2 where named(0, ".well-known") && named(1, "wot-thing-description"): self = .thing
        case 2 where named(0, "deploy"): self = .deployment(names[1])
        case 2 where named(0, "request-history"): self = .entry(names[1])
        case 3 where named(0, "module_results"):
            self = .result(deployment: nil, module: names[1], file: names[2])
        case 4 where named(0, "module_results"):
            self = .result(deployment: names[1], module: names[2], file: names[3])
        case 4 where named(1, "modules"):
            self = .run(deployment: names[0], module: names[2], function: names[3])
        case 5 where named(1, "modules"):
            self = .runFile(
                deployment: names[0], module: names[2], function: names[3], file: names[4])
        case 5 where named(0, "deploy") && named(2, "modules") && named(4, "state"):
            self = .state(deployment: names[1], module: names[3])
        case 5 where named(0, "deploy") && named(2, "modules") && named(4, "release"):
            self = .release(deployment: names[1], module: names[3])
        default: return nil
        }
    }

    /// The methods that it takes, as `Allow` lists them.
    var methods: String {
        switch self {
        case .description, .thing, .health, .api, .history, .result, .runFile:
            "GET, HEAD, OPTIONS"
        case .entry: "DELETE, GET, HEAD, OPTIONS"
        case .state: "GET, OPTIONS, PUT"
        case .register, .release: "OPTIONS, POST"
        case .deployments: "GET, HEAD, OPTIONS, POST"
        case .deployment: "DELETE, OPTIONS"
        case .run: "GET, HEAD, OPTIONS, POST"
        }
    }

    func takes(_ method: Method) -> Bool {
        switch (self, method) {
        case (_, .options): true
        case (.register, .post), (.deployments, .post), (.run, .post), (.deployment, .delete): true
        case (.entry, .delete), (.state, .get), (.state, .put), (.release, .post): true
        case (.register, _), (.deployment, _), (.state, _), (.release, _): false
        default: method == .get || method == .head
        }
    }
}

/// What requests are for. An orchestrator asks for description and health before it knows more of a
/// device: everybody may. Deployments and runs are not kept apart by tenants, whose tokens may do
/// what everybody may and nothing else.
enum SupervisorPurposes {
    private static func purpose(_ route: String, _ scope: Scopes?) -> Purpose {
        Purpose("supervisor", route, needs: scope, tenants: scope == nil ? .admitted : .refused)
    }

    private static let description = purpose("/.well-known/wasmiot-device-description", nil)
    private static let thing = purpose("/.well-known/wot-thing-description", nil)
    private static let health = purpose("/health", nil)
    private static let register = purpose("/register", .write)
    private static let deploy = purpose("/deploy", .write)
    private static let deployments = purpose("/deploy", .read)
    private static let delete = purpose("/deploy/{id}", .write)
    private static let state = purpose("/deploy/{id}/modules/{module}/state", .write)
    private static let release = purpose("/deploy/{id}/modules/{module}/release", .write)
    private static let api = purpose("/openapi.json", nil)
    private static let cancel = purpose("/request-history/{id}", .run)
    private static let history = purpose("/request-history", .read)
    private static let entry = purpose("/request-history/{id}", .read)
    private static let result = purpose("/module_results/{module}/{file}", .read)
    private static let run = purpose("/{deployment}/modules/{module}/{function}", .run)
    private static let file = purpose("/{deployment}/modules/{module}/{function}/{file}", .read)
    private static let options = purpose("(options)", nil)

    static func of(_ route: SupervisorRoute, _ method: Method) -> Purpose {
        if method == .options { return options }
        switch route {
        case .description: return description
        case .thing: return thing
        case .health: return health
        case .register: return register
        case .deployments: return method == .post ? deploy : deployments
        case .deployment: return delete
        case .state: return state
        case .release: return release
        case .api: return api
        case .history: return history
        case .entry: return method == .delete ? cancel : entry
        case .result: return result
        case .run: return run
        case .runFile: return file
        }
    }
}
