import WasmdDocuments
import WasmdOperation

extension ModuleSurface {
    /// The operations under `/wasm` and `/jobs`, for the OpenAPI document. A test compares them with
    /// the routes.
    public static let api = APITable(
        "modules", "Store modules and run them.", operations, schemas: schemas)

    private static let id = APIOperation.Parameter(
        "id", .path, .uuid, "The id of a module.", isRequired: true)
    private static let draft: [APIOperation.Content] = [
        .init("application/wasm"), .json("Draft"),
        .init(
            "multipart/form-data",
            APISchema.object([
                "wasm": APISchema.type("string", "The module."),
                "run_function?": APISchema.type("string"),
                "param?": APISchema.type("string", "As in JSON."),
            ])),
    ]

    private static func taking(_ operation: APIOperation) -> APIOperation {
        var operation = operation
        operation.body = draft
        return operation
    }

    private static let operations: [APIOperation] = [
        taking(
            APIOperation(.post, "/wasm", "createModule", "Stores a module.", needs: .write)
        ).answering(.init(202, "The id of the module and of the write.", .json("Accepted"))),
        APIOperation(.get, "/wasm", "listModules", "Records of modules.", needs: .read)
            .with(
                .init("limit", .query, .number(1...1000), "How many; 100 without it."),
                .init("after", .query, .uuid, "The 'next' of the page before.")
            ).answering(.init(200, "A page.", .json("Page"))),
        APIOperation(.get, "/wasm/{id}", "showModule", "A record, or the module.", needs: .read)
            .with(
                id,
                .init("wasm", .query, .boolean, "'false' leaves the module out of the record."),
                .init(
                    "encoding", .query, .words(["base64"]),
                    "How the module is written; numbers without it.")
            ).answering(
                .init(
                    200, "By what is accepted.", .json("Record"), .init("application/wasm"))),
        taking(
            APIOperation(
                .put, "/wasm/{id}", "changeModule", "Changes a module, or parts of its record.",
                needs: .write
            ).with(id)
        ).answering(.init(202, "The id of the module and of the write.", .json("Accepted"))),
        APIOperation(.delete, "/wasm/{id}", "deleteModule", "Removes a module.", needs: .write)
            .with(id)
            .answering(.init(202, "The id of the module and of the write.", .json("Accepted"))),
        APIOperation(
            .post, "/wasm/{id}", "runModule",
            "Runs a function, or a program with the body as its standard input.", needs: .run
        ).with(
            id,
            .init("function", .query, .text, "The exported function, if not that of the record."),
            .init("arg", .query, .text, "An argument of a program; may be repeated."),
            .init(
                "profile", .query, .words(["1"] + profileForms),
                "Brings the run's profile or coverage along; a program answers with JSON then.")
        ).taking(.init("application/json"), .init("application/octet-stream"), optional: true)
            .answering(
                .init(
                    200, "Results of a function, or standard output of a program.",
                    .json("Result"), .init("text/plain", APISchema.type("string")))),
        APIOperation(.get, "/jobs", "listJobs", "The last writes, the newest first.", needs: .read)
            .with(.init("limit", .query, .number(1...1000), "How many; 100 without it."))
            .answering(.init(200, "The writes.", .json("Jobs"))),
        APIOperation(.get, "/jobs/{id}", "showJob", "The state of a write.", needs: .read)
            .with(.init("id", .path, .uuid, "The id of a write.", isRequired: true))
            .answering(.init(200, "The write.", .json("Job"))),
    ]

    private static let text = APISchema.type("string")
    private static let integer = APISchema.type("integer")
    private static let anything = Document.boolean(true)

    private static let parameters = APISchema.array(
        APISchema.object(["name": text, "param_type": anything]))

    private static let schemas: [Document.Member] = [
        .init(
            "Draft",
            APISchema.object([
                "wasm?": .object([
                    .init("description", "The bytes as numbers, or as base64."),
                    .init(
                        "oneOf",
                        .array([
                            APISchema.array(
                                .object([
                                    .init("type", "integer"), .init("minimum", .integer(0)),
                                    .init("maximum", .integer(255)),
                                ])), text,
                        ])),
                ]), "run_function?": text, "function?": text, "functionName?": text,
                "param?": parameters, "args?": parameters,
            ])),
        .init("Accepted", APISchema.object(["id": text, "job": text])),
        .init(
            "Record",
            APISchema.object([
                "id": text, "wasm?": anything,
                "meta_data": APISchema.object([
                    "run_function": anything, "size": integer, "param": parameters,
                    "results?": APISchema.array(anything),
                ]), "imports": APISchema.array(APISchema.type("object")),
                "exports": APISchema.array(APISchema.type("object")), "sha256": text,
                "created": integer, "changed": integer,
            ])),
        .init(
            "Page",
            APISchema.object([
                "items": APISchema.array(APISchema.reference("Record")), "next": anything,
            ])),
        .init(
            "Result",
            APISchema.object([
                "result?": anything, "results?": APISchema.array(anything), "run?": text,
                "note?": text, "output?": text, "output_base64?": text, "exit_code?": integer,
                "profile?": text,
            ])),
        .init(
            "Job",
            APISchema.object([
                "id": text, "wasm": text,
                "job_type": .object([
                    .init("type", "string"), .init("enum", .array(["SAVE", "MODIFY", "DELETE"])),
                ]), "state": text, "time": integer, "error?": text,
            ])),
        .init("Jobs", APISchema.object(["items": APISchema.array(APISchema.reference("Job"))])),
    ]
}
