import WasmdDocuments

extension AdminSurface {
    /// The operations of the admin interface.
    public static let api = APITable(
        "admin", "What operators see and do.", runs + server + data, schemas: schemas)

    private static let run = APIOperation.Parameter(
        "id", .path, .uuid, "The id of a run.", isRequired: true)

    private static let runs: [APIOperation] = [
        APIOperation(
            .get, "/admin/runs", "listRuns", "Runs that are active, and the last ones.",
            needs: .admin
        ).with(
            .init("limit", .query, .number(1...10_000), "How many of each; 100 without it."),
            .init("module", .query, .text, "Those of one module: its id, digest or name.")
        ).answering(.init(200, "Runs.", .json("Runs"))),
        APIOperation(
            .get, "/admin/runs/{id}", "showRun", "All that is known of a run.",
            needs: .admin
        ).with(run).answering(.init(200, "The run.", .json("Run"))),
        APIOperation(.delete, "/admin/runs/{id}", "stopRun", "Stops a run.", needs: .admin)
            .with(run).answering(.init(202, "It ends soon.", .init("application/json"))),
        APIOperation(
            .get, "/admin/logs", "logs", "Lines that guests wrote to standard error.",
            needs: .admin
        ).with(
            .init("recent", .query, .number(0...10_000), "How many of the last; 100 without it."),
            .init("run", .query, .uuid, "Those of one run."),
            .init("follow", .query, .boolean, "Go on with each line as a server-sent event.")
        ).answering(
            .init(
                200, "Lines, or events 'line' and 'lost'.", .json("Lines"),
                .init("text/event-stream", APISchema.type("string")))),
        APIOperation(
            .post, "/admin/profile", "profile",
            "Profiles the runs that are active or begin in the next seconds.", needs: .admin
        ).with(
            .init("module", .query, .text, "Those of one module: its id, digest or name."),
            .init("seconds", .query, .number(1...300), "How long; 5 without it."),
            .init(
                "interval", .query, .number(10...1_000_000),
                "Microseconds between samples; 1000 without it."),
            .init(
                "form", .query, .words(RunAdministration.profileForms),
                "For the Firefox Profiler, or as a flame graph.")
        ).answering(
            .init(
                200, "The profile.", .init("application/json", APISchema.type("object")),
                .init("image/svg+xml", APISchema.type("string")))),
    ]

    private static let server: [APIOperation] = [
        APIOperation(.get, "/admin/status", "status", "How the server does.", needs: .admin)
            .with(.init("follow", .query, .boolean, "Go on with an event each second."))
            .answering(
                .init(
                    200, "Status, or events 'status'.", .json("Status"),
                    .init("text/event-stream", APISchema.type("string")))),
        APIOperation(.get, "/admin/modules", "modules", "Modules and their runs.", needs: .admin)
            .with(
                .init("limit", .query, .number(1...1000), "How many; 100 without it."),
                .init("after", .query, .text, "The 'next' of the page before.")
            ).answering(.init(200, "A page.", .json("ModulePage"))),
        APIOperation(
            .get, "/admin/settings", "settings",
            "Limits that hold now, tenants with their quotas, tokens without their secrets, and what "
                + "is used of them.", needs: .admin
        ).answering(.init(200, "Settings.", .json("Settings"))),
        APIOperation(
            .post, "/admin/reload", "reload", "Reads the configuration again.", needs: .admin
        ).answering(.init(200, "What was changed.", .init("application/json"))),
        APIOperation(
            .post, "/admin/drain", "drain",
            "Lets /readyz say that no requests are wanted; those that come are answered.",
            needs: .admin
        ).answering(.init(200, "Draining.", .init("application/json"))),
        APIOperation(.delete, "/admin/drain", "undrain", "Ends that.", needs: .admin)
            .answering(.init(200, "Not draining.", .init("application/json"))),
        APIOperation(
            .post, "/admin/shutdown", "shutDown", "Ends the server, as SIGTERM does.",
            needs: .admin
        ).answering(.init(202, "It ends.", .init("application/json"))),
    ]

    private static let data: [APIOperation] = [
        APIOperation(
            .post, "/admin/backup", "backUp", "Copies the store into a new folder of the server.",
            needs: .admin
        ).taking(
            .init(
                "application/json",
                APISchema.object(["folder": APISchema.type("string", "It must not exist.")]))
        ).answering(.init(200, "What was copied.", .json("Copy"))),
        APIOperation(
            .get, "/admin/backup", "downloadBackup", "The store as an archive of tar.",
            needs: .admin
        ).answering(.init(200, "A data folder.", .init("application/x-tar"))),
        APIOperation(
            .post, "/admin/compact", "compact", "Removes old values and unused blobs.",
            needs: .admin
        ).answering(.init(200, "What was saved.", .init("application/json"))),
        APIOperation(
            .post, "/admin/verify", "verify", "Reads everything and compares all checksums.",
            needs: .admin
        ).answering(.init(200, "What was found.", .json("Verification"))),
    ]

    private static let integer = APISchema.type("integer")
    private static let integerOrNull = Document.object([
        .init("type", .array(["integer", "null"]))
    ])
    private static let number = APISchema.type("number")
    private static let text = APISchema.type("string")
    private static let boolean = APISchema.type("boolean")
    private static let texts = APISchema.array(text)

    private static let schemas: [Document.Member] = [
        .init(
            "Settings",
            APISchema.object([
                "limits": APISchema.array(
                    APISchema.object([
                        "name": APISchema.type("string", "As the configuration names it."),
                        "value": text, "reloadable": boolean,
                        "number?": APISchema.type(
                            "number", "The limit as a number; absent if there is none."),
                        "unit?": APISchema.type(
                            "string", "'bytes' or 'seconds'; absent for a count."),
                        "each?": APISchema.type(
                            "string",
                            "What the limit holds for, one by one: 'run', 'connection' and others. "
                                + "'used' is that of the one that uses most."),
                        "used?": APISchema.type(
                            "integer", "How much is used now; absent where that is not known."),
                    ])),
                "tenants": APISchema.array(
                    APISchema.object([
                        "name": text, "stored_bytes": APISchema.reference("Quota"),
                        "instances": APISchema.reference("Quota"),
                        "fuel": APISchema.object([
                            "used": integer, "per_second": integerOrNull,
                            "available": integerOrNull,
                        ]),
                        "runs": APISchema.reference("RunCounts"),
                    ])),
                "tokens": APISchema.array(
                    APISchema.object([
                        "name": text, "scopes": texts, "tenant?": text, "rate?": number,
                        "runs?": APISchema.reference("RunCounts"),
                    ])),
            ])),
        .init("Quota", APISchema.object(["used": integer, "limit": integerOrNull])),
        .init(
            "RunCounts",
            APISchema.object([
                "running": integer, "waiting": integer, "ended": integer, "failed": integer,
                "refused": integer,
            ])),
        .init(
            "Run",
            APISchema.object([
                "id": text, "state": text, "module": text, "sha256": text, "function": text,
                "caller": text, "start": text, "seconds": number, "computing_seconds": number,
                "outcome?": text, "reason?": text, "limit?": text, "exit_code?": integer,
                "account?": text, "trace?": text, "queue_seconds?": number, "fuel?": integer,
                "memory_bytes?": integer, "peak_memory_bytes?": integer,
                "input_bytes?": integer, "output_bytes?": integer, "log_bytes?": integer,
                "is_fork?": boolean, "reached_limits?": texts,
                "trap?": APISchema.object([
                    "message": text, "backtrace": texts, "omitted_frames": integer,
                ]),
            ])),
        .init(
            "Runs",
            APISchema.object([
                "active": APISchema.array(APISchema.reference("Run")),
                "recent": APISchema.array(APISchema.reference("Run")), "running": integer,
                "waiting": integer,
            ])),
        .init(
            "Lines",
            APISchema.object([
                "lines": APISchema.array(
                    APISchema.object([
                        "time": text, "run": text, "module?": text, "text": text,
                    ]))
            ])),
        .init(
            "ModulePage",
            APISchema.object([
                "items": APISchema.array(
                    APISchema.object([
                        "id": text, "sha256": text, "size": integer, "runs?": integer,
                        "failures?": integer, "fuel?": integer,
                    ])),
                "next": .object([
                    .init("type", .array(["string", "null"]))
                ]),
            ])),
        .init(
            "Copy",
            APISchema.object([
                "target": text, "records": integer, "blobs": integer, "bytes": integer,
                "sound": boolean, "failures": texts,
            ])),
        .init(
            "Verification",
            APISchema.object([
                "sound": boolean, "records": integer, "log_files": integer, "log_bytes": integer,
                "blobs": integer, "blob_bytes": integer, "unreferenced_blobs": integer,
                "damage": APISchema.array(APISchema.type("object")), "missing_files": integer,
                "damaged_blobs": texts, "missing_blobs": texts, "set_aside": texts,
            ])),
        .init(
            "Status",
            APISchema.object([
                "version": text, "process": integer, "uptime_seconds": number,
                "resident_bytes?": integer, "ready": boolean,
                "reasons": texts, "listeners": APISchema.array(APISchema.type("object")),
                "runs": APISchema.type("object"), "cache": APISchema.type("object"),
                "store": APISchema.type("object"), "orchestrator?": APISchema.type("object"),
                "transports?": APISchema.array(APISchema.type("object")),
                "broker?": APISchema.type("object"),
                "sandbox?": APISchema.type("object", "What the kernel enforces for the process."),
            ])),
    ]
}
