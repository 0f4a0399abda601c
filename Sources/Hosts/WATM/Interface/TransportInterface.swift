import WasmInterpreter

/// The functions of a version: those that the host calls, and those that it offers as `env`.
struct TransportInterface: Sendable {
    struct Function: Sendable {
        let name: Name
        let parameters: [ValueType]
        let results: [ValueType]

        init(_ name: Name, _ parameters: [ValueType] = [], _ results: [ValueType] = []) {
            self.name = name
            self.parameters = parameters
            self.results = results
        }

        /// `_water_dial(i32) -> (i32)`
        var text: String { "\(name)\(FunctionType(parameters: parameters, results: results))" }

        /// Further parameters that a variant of the function has.
        var variant: [ValueType] = []

        func matches(_ type: FunctionType) -> Bool {
            type.results == results
                && (type.parameters == parameters || type.parameters == parameters + variant)
        }
    }

    /// Functions that each module must export.
    let mandatory: [Function]
    /// The function of each role that the version has.
    let roles: [(role: TransportRole, function: Function)]
    /// Other functions that the host calls if they are there.
    var optional: [Function] = []
    /// What the host offers as module `env`.
    let imports: [Function]

    /// All functions that a module may export for its host.
    var functions: [Function] { mandatory + roles.map(\.function) + optional }

    func function(of role: TransportRole) -> Function? {
        roles.first { $0.role == role }?.function
    }

    static let v0 = TransportInterface(
        mandatory: [
            Function("_water_init", [], [.i32]), Function("_water_cancel_with", [.i32], [.i32]),
            Function("_water_worker", [], [.i32]),
        ],
        roles: [
            (.dial, Function("_water_dial", [.i32], [.i32])),
            (.listen, Function("_water_accept", [.i32], [.i32])),
            (.relay, Function("_water_associate", [], [.i32])),
        ],
        imports: [
            Function("host_dial", [], [.i32]), Function("host_accept", [], [.i32]),
            Function("pull_config", [], [.i32]), Function("host_defer"),
        ])

    static let v1 = TransportInterface(
        mandatory: [
            Function("watm_init_v1", [], [.i32]), Function("watm_ctrlpipe_v1", [.i32], [.i32]),
            Function("watm_start_v1", [], [.i32]),
        ],
        roles: [
            (.dial, Function("watm_dial_v1", [.i32], [.i32])),
            (.listen, Function("watm_accept_v1", [.i32], [.i32])),
            (.relay, Function("watm_associate_v1", [], [.i32])),
        ],
        optional: [Function("watm_dial_fixed_v1", [.i32], [.i32])],
        imports: [
            Function("water_dial", [.i32, .i32, .i32, .i32], [.i32]),
            Function("water_dial_fixed", [], [.i32]), Function("water_accept", [], [.i32]),
        ])

    /// - Parameter prefix: of all names but that of the entry.
    private static func preview(
        _ prefix: String, initialParameters: [ValueType]
    ) -> TransportInterface {
        func function(
            _ name: String, _ parameters: [ValueType] = [], _ results: [ValueType] = []
        ) -> Function { Function(Name(prefix + name), parameters, results) }
        // One descriptor for both directions, or one to read from and one to write to.
        var inbound = function("set_inbound", [.i32])
        inbound.variant = [.i32]
        return TransportInterface(
            mandatory: [function("init", initialParameters)],
            roles: [(.dial, function("dial")), (.run, Function("v1_listen"))],
            optional: [
                function("config", [.i32]), inbound, function("set_outbound", [.i32]),
                function("read", [], [.i64]),
                function("write", [.i64], [.i64]),
            ],
            imports: [
                Function("connect_tcp", [.i32, .i32], [.i32]),
                Function("create_listen", [.i32, .i32], [.i32]),
                Function("pull_config", [], [.i32]),
            ])
    }

    static let preview = preview("_water_", initialParameters: [])
    static let olderPreview = preview("_", initialParameters: [.i32])
}

extension TransportVersion {
    var interface: TransportInterface {
        switch self {
        case .v0: .v0
        case .v1: .v1
        case .preview: .preview
        case .olderPreview: .olderPreview
        }
    }
}
