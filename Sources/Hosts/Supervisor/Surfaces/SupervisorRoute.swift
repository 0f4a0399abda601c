import WasmdHTTP

/// What a path of a supervisor is.
enum SupervisorRoute: Equatable {
    case description
    case thing
    case health
    case register
    case deployments
    case deployment(String)
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
        default: return nil
        }
    }

    /// The methods that it takes, as `Allow` lists them.
    var methods: String {
        switch self {
        case .description, .thing, .health, .history, .entry, .result, .runFile:
            "GET, HEAD, OPTIONS"
        case .register: "OPTIONS, POST"
        case .deployments: "GET, HEAD, OPTIONS, POST"
        case .deployment: "DELETE, OPTIONS"
        case .run: "GET, HEAD, OPTIONS, POST"
        }
    }

    func takes(_ method: Method) -> Bool {
        switch (self, method) {
        case (_, .options): true
        case (.register, .post), (.deployments, .post), (.run, .post), (.deployment, .delete): true
        case (.register, _), (.deployment, _): false
        default: method == .get || method == .head
        }
    }
}
