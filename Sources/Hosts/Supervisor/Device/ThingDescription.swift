import WasmdDocuments
import WasmdWasmiot

/// The device as a thing of the web.
///
/// Specification: W3C, Web of Things (WoT) Thing Description 1.1.
enum ThingDescription {
    /// - Parameter origin: `http://HOST`.
    static func document(_ supervisor: Supervisor, origin: String) -> Document {
        var actions: [Document.Member] = [
            .init(
                "deploy",
                action("Deploys modules", [form("/deploy", "POST")], safe: false, parameters: [])),
            .init(
                "register",
                action(
                    "Sets the orchestrator", [form("/register", "POST")], safe: false,
                    parameters: [])),
        ]
        for deployment in supervisor.deployments {
            for module in deployment.node.endpoints.entries {
                for function in module.value.entries {
                    let path = [deployment.id, "modules", module.name, function.name]
                        .map { "/" + Supervisor.path($0) }.joined()
                    let endpoint = function.value
                    actions.append(
                        .init(
                            "\(deployment.id)/\(module.name)/\(function.name)",
                            action(
                                "Calls \(function.name) of \(module.name)",
                                [form(path, endpoint.method.uppercased())], safe: false,
                                parameters: endpoint.parameters)))
                }
            }
        }
        return .object([
            .init("@context", "https://www.w3.org/2022/wot/td/v1.1"),
            .init("id", .string("urn:wasmiot:" + Supervisor.path(supervisor.name))),
            .init("title", .string(supervisor.name)),
            .init("base", .string(origin + "/")),
            .init(
                "securityDefinitions",
                .object([.init("nosec_sc", .object([.init("scheme", "nosec")]))])),
            .init("security", "nosec_sc"),
            .init("properties", properties),
            .init("actions", .object(actions)),
        ])
    }

    private static var properties: Document {
        func property(_ title: String, _ path: String, _ type: String) -> Document {
            .object([
                .init("title", .string(title)), .init("type", .string(type)),
                .init("readOnly", true), .init("forms", .array([form(path, "GET")])),
            ])
        }
        return .object([
            .init("health", property("Use of processor and memory", "/health", "object")),
            .init(
                "description",
                property(
                    "Device description", "/.well-known/wasmiot-device-description", "object")),
            .init("history", property("Runs that have ended", "/request-history", "array")),
        ])
    }

    private static func form(_ path: String, _ method: String) -> Document {
        .object([
            .init("href", .string(path)), .init("htv:methodName", .string(method)),
            .init("contentType", "application/json"),
        ])
    }

    private static func action(
        _ title: String, _ forms: [Document], safe: Bool, parameters: [EndpointParameter]
    ) -> Document {
        var members: [Document.Member] = [
            .init("title", .string(title)), .init("safe", .boolean(safe)),
            .init("idempotent", false),
        ]
        var forms = forms
        let query = parameters.filter { $0.place == "query" }
        if !query.isEmpty {
            members.append(
                .init("uriVariables", .object(query.map { .init($0.name, variable($0)) })))
            let names = query.map { Supervisor.path($0.name) }.joined(separator: ",")
            forms = forms.map { form in
                guard case .object(let members) = form else { return form }
                return .object(
                    members.map { member in
                        guard member.name == "href", let path = member.value.stringValue else {
                            return member
                        }
                        return .init("href", .string("\(path){?\(names)}"))
                    })
            }
        }
        members.append(.init("forms", .array(forms)))
        return .object(members)
    }

    /// `float` is no type of JSON schema.
    private static func variable(_ parameter: EndpointParameter) -> Document {
        let type = parameter.type == "float" ? "number" : parameter.type ?? "string"
        return .object([.init("type", .string(type))])
    }
}
