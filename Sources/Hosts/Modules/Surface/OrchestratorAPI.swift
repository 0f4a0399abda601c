import WasmdDocuments
import WasmdHTTP
import WasmdOperation

/// The operations of the orchestrator, for its OpenAPI document and the page of its routes.
extension OrchestratorSurface {
    public static let api = APITable(
        "orchestrator", "Modules, devices, deployments and their executions (wasmiot).",
        modules + devices + deployments + executions + records + own)

    static func document(version: String) -> Document {
        OpenAPIDocument.make(title: "wasmd orchestrator", version: version, [api])
    }

    private static func path(_ name: String, _ meaning: String) -> APIOperation.Parameter {
        .init(name, .path, .text, meaning)
    }

    private static let module = path("module", "The id or name of a module.")
    private static let deployment = path("deployment", "The id or name of a deployment.")
    private static let device = path("device", "The id or name of a device.")
    private static let json = APIOperation.Content("application/json")
    private static let form = APIOperation.Content("multipart/form-data")

    private static let modules: [APIOperation] = [
        APIOperation(.get, "/file/module", "listModules", "All modules.", needs: .read)
            .answering(.init(200, "Documents.", json)),
        APIOperation(
            .post, "/file/module", "createModule",
            "Stores a module: fields 'name' and others, and the binary; with a description also "
                + "its files.", needs: .write
        ).taking(form).answering(.init(201, "The id.", json)),
        APIOperation(
            .delete, "/file/module", "deleteModules", "Deletes all but the core modules.",
            needs: .write
        ).answering(.init(200, "How many.", json)),
        APIOperation(
            .get, "/file/module/{module}", "showModule", "An array with the module.", needs: .read
        ).with(module).answering(.init(200, "Documents.", json)),
        APIOperation(
            .delete, "/file/module/{module}", "deleteModule", "Deletes a module.", needs: .write
        ).with(module).answering(.init(204, "It is gone.")),
        APIOperation(
            .get, "/file/module/{module}/description", "describeModule",
            "The OpenAPI document of its functions. Also for devices.", needs: .read
        ).with(module).answering(.init(200, "OpenAPI 3.0.3.", json)),
        APIOperation(
            .get, "/file/module/{module}/wasm", "moduleBinary", "Its binary. Also for devices.",
            needs: .read
        ).with(module).answering(.init(200, "The binary.", .init("application/wasm"))),
        APIOperation(
            .get, "/file/module/{module}/{file}", "moduleFile",
            "A data file by the name of its mount. Also for devices.", needs: .read
        ).with(module, path("file", "The name of a mount.")).answering(
            .init(200, "The file.", .init("application/octet-stream"))),
        APIOperation(
            .post, "/file/module/{module}/upload", "uploadDescription",
            "Sets description and data files.", needs: .write
        ).with(module).taking(form, json, .init("application/x-www-form-urlencoded"))
            .answering(.init(200, "The description.", json)),
    ]

    private static let devices: [APIOperation] = [
        APIOperation(.get, "/file/device", "listDevices", "All devices.", needs: .read)
            .answering(.init(200, "Documents.", json)),
        APIOperation(
            .delete, "/file/device", "deleteDevices", "Deletes all devices.", needs: .write
        ).answering(.init(200, "How many.", json)),
        APIOperation(
            .get, "/file/device/{device}", "showDevice", "A device.", needs: .read
        ).with(device).answering(.init(200, "The document.", json)),
        APIOperation(
            .delete, "/file/device/{device}", "deleteDevice", "Deletes a device.", needs: .write
        ).with(device).answering(.init(200, "How many.", json)),
        APIOperation(
            .post, "/file/device/discovery/register", "registerDevice", "Registers a device.",
            needs: .write
        ).taking(json).answering(.init(204, "It is known.")),
        APIOperation(
            .post, "/file/device/discovery/reset", "resetDiscovery",
            "Looks for devices, and checks all.", needs: .write
        ).answering(.init(204, "It has begun.")),
        APIOperation(
            .post, "/file/device/{device}/blacklist", "blacklistDevice",
            "Gives nothing more to a device.", needs: .write
        ).with(device).answering(.init(200, "A message.", json)),
        APIOperation(
            .post, "/file/device/{device}/unblacklist", "unblacklistDevice",
            "Takes that back.", needs: .write
        ).with(device).answering(.init(200, "A message.", json)),
    ]

    private static let deployments: [APIOperation] = [
        APIOperation(.get, "/file/manifest", "listDeployments", "All deployments.", needs: .read)
            .answering(.init(200, "Documents.", json)),
        APIOperation(
            .post, "/file/manifest", "createDeployment", "Solves a manifest and stores it.",
            needs: .write
        ).taking(json).answering(
            .init(201, "The id in quotes.", .init("text/plain", APISchema.type("string")))),
        APIOperation(
            .delete, "/file/manifest", "deleteDeployments", "Deletes all deployments.",
            needs: .write
        ).answering(.init(200, "How many.", json)),
        APIOperation(
            .get, "/file/manifest/{deployment}", "showDeployment", "A deployment.", needs: .read
        ).with(deployment).answering(.init(200, "The document.", json)),
        APIOperation(
            .post, "/file/manifest/{deployment}", "deploy", "Sends each device its node.",
            needs: .write
        ).with(deployment).answering(.init(200, "What the devices answered.", json)),
        APIOperation(
            .put, "/file/manifest/{deployment}", "updateDeployment",
            "Solves it again, with another manifest.", needs: .write
        ).with(deployment).taking(json).answering(
            .init(200, "What the devices answered.", json), .init(204, "It was not active.")),
        APIOperation(
            .delete, "/file/manifest/{deployment}", "deleteDeployment", "Deletes a deployment.",
            needs: .write
        ).with(deployment).answering(.init(200, "How many.", json)),
        APIOperation(
            .put, "/file/manifest/failover/{deployment}", "failOver",
            "Solves it again for other devices.", needs: .write
        ).with(deployment).taking(json).answering(
            .init(200, "What the devices answered.", json), .init(204, "It was not active.")),
        APIOperation(
            .post, "/file/manifest/{deployment}/migrate", "migrate",
            "Moves a module's instance with its state to another device.", needs: .write
        ).with(deployment).taking(json).answering(.init(200, "What was moved.", json)),
    ]

    private static let execution = path("execution", "The id of an execution.")

    private static let executions: [APIOperation] = [
        APIOperation(
            .post, "/execute/{deployment}", "execute",
            "Runs a deployment: the result, events of it (Accept: text/event-stream), or where to "
                + "find it (Prefer: respond-async).", needs: .run
        ).with(deployment).taking(form, json, .init("application/x-www-form-urlencoded"))
            .answering(
                .init(
                    200, "The result.", json,
                    .init("text/event-stream", APISchema.type("string"))),
                .init(202, "It has begun.", json)),
        APIOperation(
            .get, "/executions", "listExecutions", "Executions, the newest first.", needs: .read
        ).with(
            .init("limit", .query, .number(1...10_000), "How many; 100 without it."),
            .init("deployment", .query, .text, "Those of one deployment.")
        ).answering(.init(200, "Documents.", json)),
        APIOperation(
            .get, "/executions/{execution}", "showExecution", "An execution.", needs: .read
        ).with(execution).answering(.init(200, "The document.", json)),
        APIOperation(
            .get, "/executions/{execution}/events", "executionEvents",
            "Its events: 'step', 'link', 'end'.", needs: .read
        ).with(execution).answering(
            .init(200, "Events.", .init("text/event-stream", APISchema.type("string")))),
        APIOperation(
            .delete, "/executions/{execution}", "cancelExecution", "Cancels an execution.",
            needs: .run
        ).with(execution).answering(.init(202, "It ends soon.", json)),
    ]

    private static func records(_ name: String, _ path: String, _ what: String) -> [APIOperation] {
        [
            APIOperation(.get, path, "list\(name)", "All \(what).", needs: .read).with(
                .init("after", .query, .text, "Those that came after a time of ISO 8601.")
            ).answering(.init(200, "Documents.", json)),
            APIOperation(.post, path, "add\(name)", "Adds \(what), as ODRL.", needs: .write)
                .taking(json).answering(.init(200, "A message.", json)),
            APIOperation(.delete, path, "delete\(name)", "Deletes all \(what).", needs: .write)
                .answering(.init(200, "How many.", json)),
        ]
    }

    private static let records: [APIOperation] =
        records("ModuleCards", "/moduleCards", "cards of modules")
        + records("NodeCards", "/nodeCards", "cards of devices")
        + records("DataSourceCards", "/dataSourceCards", "cards of data")
        + records("Zones", "/zoneRiskLevels", "zones and risks") + [
            APIOperation(
                .get, "/deploymentCertificates", "listCertificates",
                "Whether placements are allowed.", needs: .read
            ).answering(.init(200, "Documents.", json)),
            APIOperation(
                .delete, "/deploymentCertificates", "deleteCertificates",
                "Deletes all of them.", needs: .write
            ).answering(.init(200, "How many.", json)),
            APIOperation(.get, "/device/logs", "listLogs", "Logs of devices.", needs: .read)
                .answering(.init(200, "Documents.", json)),
            APIOperation(
                .post, "/device/logs", "addLog",
                "Adds a line: a field 'logData' with JSON. Also for devices.", needs: .write
            ).taking(.init("application/x-www-form-urlencoded"), json).answering(
                .init(200, "A message.", json)),
        ]

    private static let own: [APIOperation] = [
        APIOperation(
            .get, "/export", "exportAll", "Everything as one archive of tar.", needs: .read
        ).answering(.init(200, "The archive.", .init("application/x-tar"))),
        APIOperation(
            .post, "/import", "importAll", "Adds what such an archive has.", needs: .write
        ).with(
            .init("replace", .query, .boolean, "Deletes what there was before.")
        ).taking(.init("application/x-tar")).answering(.init(200, "How many of each.", json)),
        APIOperation(.get, "/core", "listCore", "The core modules.", needs: .read)
            .answering(.init(200, "Documents.", json)),
    ]
}
