import WasmdDocuments
import WasmdHTTP
import WasmdOperation

extension SupervisorSurface {
    /// The operations of a device, for the OpenAPI document. A test compares them with the routes.
    public static let api = APITable(
        "supervisor", "Be a device of wasmiot: run what an orchestrator deploys.", operations,
        schemas: schemas, errors: "DeviceError")

    /// The document that the surface serves itself.
    static let document = OpenAPIDocument.make(
        title: "wasmd: a device of wasmiot", version: "1", [api])

    private static func path(_ name: String, _ meaning: String) -> APIOperation.Parameter {
        .init(name, .path, .text, meaning, isRequired: true)
    }
    private static let deployment = path("deployment", "The id of a deployment.")
    private static let module = path("module", "The name of a module of the deployment.")
    private static let function = path("function", "The name of an exported function.")
    private static let run = path("id", "The id of a run: DEPLOYMENT:MODULE:FUNCTION:NUMBER.")
    private static let file = path("file", "The name of an output mount.")
    private static let events = APIOperation.Content("text/event-stream", APISchema.type("string"))
    private static let bytes = APIOperation.Content("application/octet-stream")

    private static func running(_ method: Method, _ name: String, _ when: String) -> APIOperation {
        APIOperation(
            method, "/{deployment}/modules/{module}/{function}", name,
            "Runs a function; answered \(when). Parameters of the query are its arguments.",
            needs: .run
        ).with(
            deployment, module, function,
            .init("Run-Timeout", .header, .text, "A lower limit of time, for example 500ms."),
            .init("Run-Fuel", .header, .number(0...Int.max), "A lower limit of work.")
        ).answering(
            .init(200, "The result, or where it will be.", .json("DeviceResult"), events),
            .init(202, "Where the result will be, with right statuses.", .json("DeviceResult")))
    }

    private static func file(_ path: String, _ name: String) -> APIOperation {
        APIOperation(.get, path, name, "An output file, with conditions and ranges.", needs: .read)
            .answering(.init(200, "The file, with the media type of its mount.", bytes))
    }

    private static let operations: [APIOperation] = [
        APIOperation(
            .get, "/.well-known/wasmiot-device-description", "describeDevice",
            "The platform, and what modules can import.", needs: nil
        ).answering(.init(200, "The description.", .json("Device"))),
        APIOperation(
            .get, "/.well-known/wot-thing-description", "describeThing",
            "A Thing Description of W3C.", needs: nil
        ).answering(
            .init(200, "The description.", .init("application/json", APISchema.type("object")))),
        APIOperation(.get, "/health", "showHealth", "Use of processor and memory.", needs: nil)
            .answering(.init(200, "The numbers.", .json("Health"))),
        APIOperation(.get, "/openapi.json", "showDeviceInterface", "This document.", needs: nil)
            .answering(
                .init(200, "The document.", .init("application/json", APISchema.type("object")))),
        APIOperation(
            .post, "/register", "registerOrchestrator", "Sets the orchestrator.", needs: .write
        ).taking(
            .init("application/json", APISchema.object(["url": APISchema.type("string")]))
        ).answering(.init(200, "It is set.", .json("Success"))),
        APIOperation(
            .post, "/deploy", "deploy", "Fetches modules and files, and deploys them.",
            needs: .write
        ).taking(.json("Node")).answering(.init(200, "They are deployed.", .json("Success"))),
        APIOperation(.get, "/deploy", "listDeployments", "The nodes.", needs: .read)
            .answering(
                .init(
                    200, "All of them.",
                    .init(
                        "application/json",
                        APISchema.object([
                            "deployments": APISchema.array(APISchema.reference("Node"))
                        ])))),
        APIOperation(
            .delete, "/deploy/{deployment}", "deleteDeployment", "Removes a deployment.",
            needs: .write
        ).with(deployment).answering(.init(200, "It is removed.", .json("Success"))),
        APIOperation(
            .get, "/deploy/{deployment}/modules/{module}/state", "giveState",
            "The state of an instance, for another device.", needs: .write
        ).with(
            deployment, module,
            .init("hold", .query, .number(1...60), "Seconds for which later runs wait.")
        ).answering(
            .init(200, "The state.", .init("application/x-wasmd-state")),
            .init(204, "There is none yet.")),
        APIOperation(
            .put, "/deploy/{deployment}/modules/{module}/state", "takeState",
            "Continues with a state of another device.", needs: .write
        ).with(deployment, module).taking(.init("application/x-wasmd-state"))
            .answering(.init(200, "It is durable.", .json("Success"))),
        APIOperation(
            .post, "/deploy/{deployment}/modules/{module}/release", "releaseInstance",
            "Lets runs go on: here, or at another device.", needs: .write
        ).with(deployment, module).taking(
            .init("application/json", APISchema.object(["to?": APISchema.type("string")])),
            optional: true
        ).answering(.init(200, "They go on.", .json("Success"))),
        running(.get, "runFunction", "when it has ended"),
        running(.post, "beginRun", "soon").taking(
            .init("multipart/form-data", APISchema.type("object")), optional: true),
        APIOperation(.get, "/request-history", "listRuns", "Runs that have ended.", needs: .read)
            .answering(
                .init(
                    200,
                    "The entries, the oldest first; or lines and ends of all runs as they come.",
                    .init("application/json", APISchema.array(APISchema.reference("Entry"))),
                    events)),
        APIOperation(
            .get, "/request-history/{id}", "showRun", "A run that has ended.", needs: .read
        )
        .with(run)
        .answering(
            .init(
                200, "The entry of a run that succeeded; or the run's events.",
                .json("Entry"), events),
            .init(500, "The entry of a run that failed.", .json("Entry"))),
        APIOperation(.delete, "/request-history/{id}", "cancelRun", "Ends a run.", needs: .run)
            .with(run).answering(.init(200, "It ends.", .json("Success"))),
        file("/module_results/{module}/{file}", "readNewestResult").with(module, file),
        file("/module_results/{deployment}/{module}/{file}", "readResult")
            .with(deployment, module, file),
        file("/{deployment}/modules/{module}/{function}/{file}", "readRunFile")
            .with(deployment, module, function, file),
    ]

    private static let text = APISchema.type("string")

    private static let schemas: [Document.Member] = [
        .init(
            "DeviceError",
            APISchema.object(["status": text, "result": text, "error?": text])),
        .init("Success", APISchema.object(["status": text, "deploymentId?": text])),
        .init(
            "Health",
            APISchema.object([
                "cpuUsage": APISchema.type("number", "Percent."),
                "memoryUsage": APISchema.type("number", "From 0 to 1."),
            ])),
        .init(
            "Device",
            APISchema.object([
                "platform": APISchema.type("object"),
                "supervisorInterfaces": APISchema.array(text),
            ])),
        .init(
            "Node",
            APISchema.object([
                "deploymentId": text, "modules": APISchema.array(APISchema.type("object")),
                "endpoints?": APISchema.type("object"),
                "instructions?": APISchema.type("object"), "mounts?": APISchema.type("object"),
            ])),
        .init(
            "DeviceResult",
            APISchema.object([
                "resultUrl": text, "result?": .boolean(true),
                "outputs?": APISchema.array(text),
            ])),
        .init(
            "Entry",
            APISchema.object([
                "request_id": text, "deployment_id": text, "module_name": text,
                "function_name": text, "method": text, "request_args": APISchema.type("object"),
                "request_files": APISchema.type("object"), "work_queued_at": text,
                "result": .boolean(true), "outputs?": APISchema.array(text),
                "success": APISchema.type("boolean"),
            ])),
    ]
}
