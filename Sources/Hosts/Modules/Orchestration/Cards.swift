import WasmdDocuments
import WasmdEventLoop
import WasmdWasmiot

/// Cards in ODRL that say what modules, nodes and data are, and zones which risks they allow.
enum Card: String, CaseIterable, Sendable {
    case module = "moduleCards"
    case node = "nodeCards"
    case dataSource = "dataSourceCards"

    /// What is stored of a card.
    ///
    /// - Throws: the text that clients get, with 500, or 400 if statuses are right.
    func read(_ body: Document) throws -> Document {
        switch self {
        case .module: try module(body)
        case .node: try node(body)
        case .dataSource: try dataSource(body)
        }
    }

    private func fault(_ text: String) -> Failure {
        Failure(
            .internalServerError, right: .badRequest,
            body: .json(.object([.init("message", .string(text))])))
    }

    private func module(_ body: Document) throws -> Document {
        guard let permission = body["permission"]?[0], let target = permission["target"],
            let action = permission["action"],
            let constraints = permission["constraint"]?.arrayValue
        else { throw fault("Error processing module card") }
        var members: [Document.Member] = [.init("moduleid", target), .init("name", action)]
        for constraint in constraints {
            guard let name = constraint["leftOperand"]?.stringValue,
                ["risk-level", "input-type", "output-risk"].contains(name)
            else { continue }
            members.append(.init(name, constraint["rightOperand"] ?? .null))
        }
        return .object(members)
    }

    private func node(_ body: Document) throws -> Document {
        guard let asset = body["asset"]?[0] else { throw fault("Error creating Node card") }
        return .object([
            .init("name", asset["title"] ?? "unknown"),
            .init("nodeid", asset["uid"] ?? "unknown"),
            .init("zone", Self.relation("memberOf", asset)),
        ])
    }

    private func dataSource(_ body: Document) throws -> Document {
        guard let asset = body["asset"]?[0] else {
            throw Failure(
                .badRequest,
                body: .json(
                    .object([
                        .init("message", "Invalid ODRL document: Asset not found")
                    ])))
        }
        return .object([
            .init("name", asset["title"] ?? "unknown"),
            .init("type", Self.relation("type", asset)),
            .init("risk-level", Self.relation("risk-level", asset)),
            .init("nodeid", Self.relation("nodeid", asset)),
        ])
    }

    private static func relation(_ type: String, _ asset: Document) -> Document {
        asset["relation"]?.arrayValue?.first { $0["type"]?.stringValue == type }?["value"]
            ?? "unknown"
    }

    /// The member by which cards are deleted.
    var key: String { self == .module ? "moduleid" : "nodeid" }

    /// The answer's text.
    var received: String {
        switch self {
        case .module: "Module card received and saved"
        case .node: "Node card received and saved"
        case .dataSource: "Data source card received and saved"
        }
    }

    /// The name under which the answer repeats what was stored.
    var member: String? {
        switch self {
        case .module: "moduleData"
        case .node: "nodeCard"
        case .dataSource: nil
        }
    }
}

/// Zones with the risks that they allow.
enum Zones {
    /// Bytes of all zones with the levels of each.
    private static let byteLimit = 4 << 20

    /// `[{zone, allowedRiskLevels}]` and all levels.
    static func read(_ body: Document) throws -> (zones: [Document], levels: [String]) {
        guard let permissions = body["permission"]?.arrayValue else {
            throw Failure(
                .internalServerError, right: .badRequest,
                body: .json(
                    .object([
                        .init("message", "Error parsing zone and risk-level definitions")
                    ])))
        }
        var zones = NamedValues<[String]>()
        var levels: Set<String> = []
        var byteCount = 0
        for permission in permissions {
            guard let level = permission["target"]?.stringValue else { continue }
            levels.insert(level)
            for constraint in permission["constraint"]?.arrayValue ?? []
            where constraint["leftOperand"]?.stringValue == "zone" {
                let operand = constraint["rightOperand"] ?? .null
                for zone in (operand.arrayValue ?? [operand]).compactMap(\.stringValue) {
                    // A level is written once for each of its zones.
                    byteCount += zone.utf8.count + level.utf8.count
                    zones.change(zone, default: []) { $0.append(level) }
                    guard byteCount <= byteLimit, zones.entries.count <= NameLimits.count else {
                        throw Failure(
                            .contentTooLarge, "too many zones",
                            "a request has at most \(NameLimits.count) zones, and "
                                + "\(byteLimit) bytes of zones with their levels")
                    }
                }
            }
        }
        return (
            zones.entries.map { entry in
                .object([
                    .init("zone", .string(entry.name)),
                    .init(
                        "allowedRiskLevels", .array(entry.value.map { .string($0) })),
                ])
            }, levels.sorted()
        )
    }
}

/// Checks a solution against cards and zones. The result is recorded, and never hinders anything.
extension Orchestrator {
    /// Records a certificate.
    ///
    /// - Returns: why the solution is not valid; nil if it is.
    func certify(
        _ solution: Solution, _ deployment: ObjectID, on loop: EventLoop
    ) async throws -> String? {
        var risk = "none"
        var isValid = true
        var steps: [Document] = []
        for step in solution.steps {
            let (document, valid) = check(step, &risk)
            steps.append(document)
            isValid = isValid && valid
        }
        let id = certificates.newID()
        try await certificates.put(
            id,
            .object([
                .init("_id", .string(id.description)), .init("date", Clock.text),
                .init("dateReceived", Clock.text),
                .init("deploymentId", .string(deployment.description)),
                .init("valid", .boolean(isValid)), .init("validationLogs", .array(steps)),
            ]), on: loop)
        return isValid ? nil : "Deployment validation failed."
    }

    private func card(_ kind: Card, _ matches: (Document) -> Bool) -> Document? {
        cards[kind]?.all().first { matches($0.document) }?.document
    }

    private func check(
        _ step: Solution.Step, _ risk: inout String
    ) -> (document: Document, isValid: Bool) {
        let device = step.device.id.description
        let module = step.module.id.description
        var zone = "none"
        var moduleRisk = "none"
        var inputRisk = "none"
        var outputRisk = "none"
        var isValid = true
        var reasons: [String] = []
        func require(_ condition: Bool, _ yes: String, _ no: String) {
            reasons.append(condition ? yes : no)
            isValid = isValid && condition
        }
        let node = card(.node) { $0["nodeid"]?.stringValue == device }
        let about = card(.module) { $0["moduleid"]?.stringValue == module }
        if let node { zone = node["zone"]?.stringValue ?? "unknown" }
        if node == nil {
            require(false, "", "Node card not found for device \(device)")
        } else if let about {
            moduleRisk = about["risk-level"]?.stringValue ?? "none"
            let allowed =
                zones.all().first { $0.document["zone"]?.stringValue == zone }?
                .document["allowedRiskLevels"]?.arrayValue?.compactMap(\.stringValue) ?? []
            func judge(_ what: String, _ level: String) {
                require(
                    allowed.contains(level),
                    "\(what) risk level '\(level)' allowed in zone '\(zone)'",
                    "\(what) risk level '\(level)' not allowed in zone '\(zone)'")
            }
            judge("Module", moduleRisk)
            let input = about["input-type"]?.stringValue ?? ""
            var source: Document?
            if input == "temp" {
                inputRisk = risk
                reasons.append("Input type is temporary, inheriting risk level '\(risk)'")
            } else {
                source = card(.dataSource) {
                    $0["type"]?.stringValue == input && $0["nodeid"]?.stringValue == device
                }
                inputRisk = source?["risk-level"]?.stringValue ?? "none"
                require(
                    source != nil,
                    "Data source risk level '\(inputRisk)' found for input type '\(input)'",
                    "Data source card not found for input type '\(input)' on device \(device)")
            }
            judge("Input", inputRisk)
            let declared = about["output-risk"]?.stringValue ?? "none"
            if declared == "inherit" {
                risk = source?["risk-level"]?.stringValue ?? risk
                reasons.append("Module output risk level inherited as '\(risk)'")
            } else {
                risk = declared
                reasons.append("Module output risk level set to '\(risk)'")
            }
            outputRisk = risk
            judge("Output", outputRisk)
            if isValid { reasons.append("Step validated successfully.") }
        } else {
            require(false, "", "Module card not found for module \(module)")
        }
        return (
            .object([
                .init("device", .string(device)), .init("module", .string(module)),
                .init("func", .string(step.function)), .init("node_zone", .string(zone)),
                .init("module_risk", .string(moduleRisk)),
                .init("input_risk", .string(inputRisk)),
                .init("output_risk", .string(outputRisk)), .init("valid", .boolean(isValid)),
                .init("reasons", .array(reasons.map { .string($0) })),
            ]), isValid
        )
    }
}
