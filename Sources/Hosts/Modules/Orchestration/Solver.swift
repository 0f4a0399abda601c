import WasmdDocuments
import WasmdEventLoop
import WasmdWasmiot

/// A manifest's functions with their modules and devices, and what each device is to be told.
struct Solution: Sendable {
    struct Step: Sendable {
        let device: Device
        let module: ModuleRecord
        let function: String
    }

    let steps: [Step]
    /// By device, in the order in which the steps name them.
    let nodes: [(device: ObjectID, node: DeploymentNode)]

    var sequence: Document {
        .array(
            steps.map { step in
                .object([
                    .init("device", .string(step.device.id.description)),
                    .init("module", .string(step.module.id.description)),
                    .init("func", .string(step.function)),
                ])
            })
    }

    /// Whether a function of one device is in a sequence twice. A node has one instruction for each
    /// function, so that its device would not know what comes next: the orchestrator calls them.
    static func repeatsFunction(_ sequence: Document?) -> Bool {
        var known: Set<[String]> = []
        return (sequence?.arrayValue ?? []).contains { step in
            !known.insert(
                ["device", "module", "func"].map { step[$0]?.stringValue ?? "" }
            ).inserted
        }
    }

    var fullManifest: Document {
        .object(nodes.map { .init($0.device.description, $0.node.document) })
    }
}

/// Why a manifest cannot be deployed.
struct SolutionFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Finds devices for a manifest's steps.
struct Solver: Sendable {
    private let registry: ModuleRegistry
    private let devices: [Device]
    private var places: [ObjectID: Int] = [:]
    /// The first device of each name.
    private var named: [NameKey: Int] = [:]
    /// Of devices that were looked at.
    private var checks: [ObjectID: ImportCheck] = [:]

    init(registry: ModuleRegistry, devices: [Device]) {
        self.registry = registry
        self.devices = devices
        for (index, device) in devices.enumerated() {
            places[device.id] = index
            if named[NameKey(device.name)] == nil { named[NameKey(device.name)] = index }
        }
    }

    /// - Parameter base: the URL from which a device gets modules.
    mutating func solve(
        _ manifest: Manifest, deployment: ObjectID, on loop: EventLoop,
        base: (Device) async -> String
    ) async throws(SolutionFault) -> Solution {
        guard !manifest.sequence.isEmpty else {
            throw SolutionFault(
                "Error on deployment: mismatch length between deployment (0), modules (0) and "
                    + "devices (0) or is zero")
        }
        var steps: [Solution.Step] = []
        for step in manifest.sequence {
            steps.append(try await self.step(step, on: loop))
            await loop.yieldIfSpent()
        }
        let sequence = Solution(steps: steps, nodes: []).sequence
        let isChain = manifest.isChain && !Solution.repeatsFunction(sequence)
        return Solution(
            steps: steps,
            nodes: try await nodes(
                steps, deployment: deployment, isChain: isChain, on: loop, base: base))
    }

    private mutating func step(
        _ step: Manifest.Step, on loop: EventLoop
    ) async throws(SolutionFault) -> Solution.Step {
        guard let module = registry.first(step.module) else {
            throw SolutionFault("module '\(step.module)' is not known")
        }
        let path = OpenAPIDescription.path(module: module.name, function: step.function)
        if module.isCore {
            guard let own = devices.first(where: \.isOrchestrator),
                module.document["description"]?["paths"]?[path] != nil
            else { throw SolutionFault("'\(module.name)' has no function '\(step.function)'") }
            return Solution.Step(device: own, module: module, function: step.function)
        }
        guard module.exports(step.function) else {
            throw SolutionFault(
                "Failed to find function '\(step.function)' from requested module: "
                    + "\(module.name)")
        }
        guard module.document["description"]?["paths"]?[path] != nil else {
            throw SolutionFault(
                "function '\(step.function)' of module '\(module.name)' is not described")
        }
        for failover in step.failovers {
            if let device = device(failover) { try check(device, failover, "failover device") }
        }
        return Solution.Step(
            device: try await device(for: step, module, on: loop), module: module,
            function: step.function)
    }

    private func device(_ text: String) -> Device? {
        let index = ObjectID(text).flatMap { places[$0] } ?? named[NameKey(text)]
        return index.map { devices[$0] }
    }

    private mutating func check(_ device: Device) -> ImportCheck {
        if let known = checks[device.id] { return known }
        let made = ImportCheck(device)
        checks[device.id] = made
        return made
    }

    private func check(
        _ device: Device, _ text: String, _ what: String
    ) throws(SolutionFault) {
        guard device.isBlacklisted != true else {
            throw SolutionFault(
                "Cannot create deployment: \(what) '\(text)' (\(device.name)) is blacklisted")
        }
    }

    private mutating func device(
        for step: Manifest.Step, _ module: ModuleRecord, on loop: EventLoop
    ) async throws(SolutionFault) -> Device {
        if let text = step.device {
            guard let device = device(text), !device.isOrchestrator else {
                throw SolutionFault("device '\(text)' is not known")
            }
            try check(device, text, "device")
            let faults = check(device).faults(of: module)
            guard faults.isEmpty else {
                throw SolutionFault(
                    "device '\(device.name)' does not satisfy module's requirements: "
                        + faults.joined(separator: "; "))
            }
            return device
        }
        var reasons: [String] = []
        var fitting: Device?
        for device in devices where !device.isOrchestrator && device.isBlacklisted != true {
            // The first one that is active, else the first one.
            if fitting != nil, device.status != .active { continue }
            await loop.yieldIfSpent()
            let offered = check(device)
            if offered.fits(module) {
                fitting = device
                if device.status == .active { break }
            } else if reasons.count < Self.reasonLimit {
                let faults = offered.faults(of: module)
                reasons.append("device '\(device.name)': \(faults.joined(separator: ", "))")
            }
        }
        guard let fitting else {
            let wanted = module.requirements.joined(separator: ", ")
            let details = reasons.isEmpty ? "" : " (\(reasons.joined(separator: "; ")))"
            throw SolutionFault(
                "no matching device satisfying all requirements: \(wanted)\(details)")
        }
        return fitting
    }

    /// Devices whose lacks a refusal explains.
    private static let reasonLimit = 5

    // MARK: Nodes

    /// Bytes of the endpoints of all steps in memory.
    private static let endpointMemory = 64 << 20

    private func nodes(
        _ steps: [Solution.Step], deployment: ObjectID, isChain: Bool, on loop: EventLoop,
        base: (Device) async -> String
    ) async throws(SolutionFault) -> [(device: ObjectID, node: DeploymentNode)] {
        var nodes: [(device: ObjectID, node: DeploymentNode)] = []
        var endpoints: [Endpoint] = []
        var byteCount = 0
        for step in steps {
            await loop.yieldIfSpent()
            let index: Int
            if let known = nodes.firstIndex(where: { $0.device == step.device.id }) {
                index = known
            } else {
                nodes.append((step.device.id, DeploymentNode(deployment: deployment.description)))
                index = nodes.count - 1
            }
            let name = step.module.name
            if let known = nodes[index].node.modules.first(where: {
                $0.name.utf8.elementsEqual(name.utf8)
            }) {
                guard known.id == step.module.id.description else {
                    throw SolutionFault("two modules of the name '\(name)' on one device")
                }
            } else {
                nodes[index].node.modules.append(
                    Self.module(step.module, base: await base(step.device)))
            }
            let endpoint = try Self.endpoint(step, deployment: deployment)
            // An endpoint is in its node up to three times.
            byteCount += endpoint.document.heapSize
            guard byteCount <= Self.endpointMemory else {
                throw SolutionFault(
                    "the endpoints of the steps take more than \(Self.endpointMemory) bytes in "
                        + "memory")
            }
            nodes[index].node.endpoints[name, step.function] = endpoint
            nodes[index].node.mounts[name, step.function] = try Self.mounts(step, endpoint)
            endpoints.append(endpoint)
        }
        for (number, step) in steps.enumerated() {
            guard let index = nodes.firstIndex(where: { $0.device == step.device.id }) else {
                continue
            }
            // In a workflow the orchestrator calls the next function.
            let next = isChain && number + 1 < endpoints.count ? endpoints[number + 1] : nil
            nodes[index].node.instructions[step.module.name, step.function] = .init(
                from: endpoints[number], to: next)
        }
        return nodes
    }

    private static func module(_ record: ModuleRecord, base: String) -> DeploymentNode.Module {
        let root = "\(base)/file/module/\(record.id)"
        var other = NamedValues<String>()
        for (name, _) in record.dataFiles {
            other[name] = "\(root)/\(URLText.segment(name))"
        }
        return DeploymentNode.Module(
            id: record.id.description, name: record.name, binary: "\(root)/wasm",
            description: "\(root)/description", other: other)
    }

    private static func endpoint(
        _ step: Solution.Step, deployment: ObjectID
    ) throws(SolutionFault) -> Endpoint {
        let path = OpenAPIDescription.path(module: step.module.name, function: step.function)
        guard let url = step.device.url else {
            throw SolutionFault("device '\(step.device.name)' has no address")
        }
        let item = step.module.document["description"]?["paths"]?[path]
        let operation = item?.objectValue?.first {
            !["summary", "parameters", "description", "servers"].contains($0.name)
        }
        guard let operation,
            let response = operation.value["responses"]?["200"]?["content"]?.objectValue?.first
        else { throw SolutionFault("the description of '\(step.function)' is incomplete") }
        let (mediaType, schema) = returned(response, of: step)
        var request: [Document.Member] = [
            .init("parameters", operation.value["parameters"] ?? .array([]))
        ]
        if let body = operation.value["requestBody"]?["content"]?.objectValue?.first {
            request.append(
                .init(
                    "request_body",
                    .object([
                        .init("media_type", .string(body.name)),
                        .init("schema", body.value["schema"] ?? .object([])),
                        .init("encoding", body.value["encoding"] ?? .object([])),
                    ])))
        }
        let document = Document.object([
            .init("url", .string(url)),
            .init(
                "path",
                .string("/\(deployment)/modules/\(step.module.name)/\(step.function)")),
            .init("method", .string(operation.name)), .init("request", .object(request)),
            .init(
                "response",
                .object([
                    .init("media_type", .string(mediaType)), .init("schema", schema),
                ])),
        ])
        do throws(DocumentFault) {
            return try Endpoint(document)
        } catch {
            throw SolutionFault("the description of '\(step.function)' is malformed: \(error)")
        }
    }

    /// Type and schema of what a function returns. A device of the original cannot return several
    /// files: it returns the first one.
    private static func returned(
        _ described: Document.Member, of step: Solution.Step
    ) -> (mediaType: String, schema: Document) {
        if OutputType.isSeveral(described.name), !step.device.isExtended,
            let type = described.value["encoding"]?.objectValue?.first?.value["contentType"]?
                .stringValue
        {
            return (type, OutputType.file(type).schema)
        }
        return (described.name, described.value["schema"] ?? .object([]))
    }

    /// The media types of a function's output files, by their mounts.
    private static func outputTypes(_ step: Solution.Step) -> Document? {
        let path = OpenAPIDescription.path(module: step.module.name, function: step.function)
        let item = step.module.document["description"]?["paths"]?[path]
        for operation in item?.objectValue ?? [] {
            guard let content = operation.value["responses"]?["200"]?["content"]?.objectValue
            else { continue }
            return content.first?.value["encoding"]
        }
        return nil
    }

    private static func mounts(
        _ step: Solution.Step, _ endpoint: Endpoint
    ) throws(SolutionFault) -> FunctionMounts {
        let declared = step.module.document["mounts"]?[step.function]?.objectValue ?? []
        let returned = endpoint.response.mediaType
        let isSeveral = OutputType.isSeveral(returned)
        let types = outputTypes(step)
        var mounts = FunctionMounts()
        for mount in declared {
            guard let stage = mount.value["stage"]?.stringValue.flatMap(MountStage.init(rawValue:))
            else { continue }
            let type = mount.value["mediaType"]?.stringValue ?? "application/octet-stream"
            if stage != .output {
                mounts[stage].append(Mount(mount.name, mediaType: type, stage: stage))
            } else if isSeveral {
                let declared = types?[mount.name]?["contentType"]?.stringValue
                mounts.output.append(
                    Mount(mount.name, mediaType: declared ?? type, stage: .output))
            } else if returned == "application/json" {
                // Files beside a value, which devices of the original do not have.
                guard step.device.isExtended else { continue }
                mounts.output.append(Mount(mount.name, mediaType: type, stage: .output))
            } else if mounts.output.isEmpty {
                mounts.output.append(Mount(mount.name, mediaType: returned, stage: .output))
            }
        }
        let needsFile = isSeveral || OutputType.fileTypes.contains(returned)
        if mounts.output.isEmpty, needsFile {
            throw SolutionFault(
                "output mount of '\(endpoint.response.mediaType)' expected but is missing")
        }
        return mounts
    }
}
