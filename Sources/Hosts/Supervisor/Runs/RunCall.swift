import WasmInterpreter
import WasmdDocuments
import WasmdGuests
import WasmdWasmiot

/// A function that is to be called, with what came with the request.
struct RunCall: Sendable {
    struct File: Sendable {
        let name: String
        let bytes: [UInt8]
    }

    let deployment: Deployment
    let module: DeployedModule
    let function: String
    let method: String
    let arguments: [RunEntry.Text]
    let files: [File]
    /// `http://HOST` as the client knows the supervisor.
    let origin: String
    /// For records of runs.
    let caller: String
    /// Whose limits hold as well.
    let account: RunScope?
    /// Limits that the request asks for: they only lower those of the device.
    var time: Duration?
    var fuel: UInt64?
    /// The trace that the request belongs to.
    var trace: RunTrace?

    /// Nil if the deployment does not have the function. An older node has no endpoints: then each
    /// export has one that returns an integer.
    var endpoint: Endpoint? {
        if deployment.node.endpoints.isEmpty {
            return Endpoint(
                url: "", path: "", method: "get", parameters: [],
                response: EndpointResponse(
                    mediaType: "application/json",
                    schema: .object([.init("type", "integer")])))
        }
        return deployment.node.endpoints[module.name, function]
    }

    /// Whether the node says that the module has the function. An older one says nothing.
    var isNamed: Bool { !deployment.node.endpoints.isEmpty && endpoint != nil }

    /// Whether the node or the module has the function, as far as the module is loaded; in a task of
    /// the module's home. Others are names that clients chose.
    var isKnown: Bool {
        guard deployment.node.endpoints.isEmpty else { return isNamed }
        guard let wasm = module.cached?.module, let export = wasm.export(Name(function)) else {
            return false
        }
        return wasm.functionType(of: wasm.type(of: export)) != nil
    }

    var mounts: FunctionMounts {
        deployment.node.mounts[module.name, function] ?? FunctionMounts()
    }

    var next: Endpoint? { deployment.node.instructions[module.name, function]?.to }
}

/// What a function has returned.
struct RunOutput: Sendable {
    struct File: Sendable {
        let mount: Mount
        let bytes: [UInt8]
        /// Whether it is a result, or written beside it.
        var isResult = true
    }

    /// A state of the instance, with its number: see `StateSaver.taken`.
    struct NumberedState: Sendable {
        let state: TakenState
        let number: UInt64
        /// Whether it is made into bytes on a thread of the pool.
        let isLarge: Bool
    }

    /// The value as text; nil if the result is a file.
    var value: String?
    /// The values that go to the parameters of the next endpoint.
    var values: [String] = []
    /// The files of output mounts that exist; the result first, if it is one.
    var files: [File]
    /// The state of the instance, if it is saved with the run.
    var state: NumberedState?
    /// Whether another device ran the function, since the instance has moved; with what it returned.
    var isForwarded = false
    var result: Document?
}
