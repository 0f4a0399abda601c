import WasmInterpreter
import WasmdDocuments
import WasmdExecutor
import WasmdGuests
import WasmdOperation

/// The functions of stored modules, and their code as `wasmd explore` shows it.
struct CodeSurface: Sendable {
    private let executor: Executor

    /// Bytes of a body that is shown: its lines take some hundred times as many.
    private static let bodyLimit = 256 << 10

    static func make(_ executor: Executor) -> RoutedSurface {
        let surface = CodeSurface(executor: executor)
        return RoutedSurface(
            "code", [.init(table[0], surface.list), .init(table[1], surface.show)])
    }

    @Sendable private func list(_ request: RoutedRequest) async throws {
        let module = try await module(of: request)
        let limit = try request.number("limit", in: 1...10_000) ?? 1000
        let first = try request.number("after", in: 0...Int(UInt32.max)).map { $0 + 1 } ?? 0
        let parsed = module.parsed
        let end = min(first + limit, parsed.functions.count)
        let items = (min(first, end)..<end).map { index in
            Document.object(facts(FunctionIndex(index), of: module))
        }
        let next: Document =
            end < parsed.functions.count && end > 0 ? .integer(Int64(end - 1)) : .null
        let name = module.names?.module.map { HarmlessText.text($0.utf8) }
        try await request.respond(
            .object([
                .init("module", name.map { .string($0) } ?? .null),
                .init("count", .integer(Int64(parsed.functions.count))),
                .init("items", .array(items)), .init("next", next),
            ]))
    }

    @Sendable private func show(_ request: RoutedRequest) async throws {
        let module = try await module(of: request)
        let parsed = module.parsed
        guard let index = FunctionIndex(request.text("index")), index < parsed.functions.count
        else { throw APIFailure(.notFound, "the module has no function with this index") }
        var members = facts(index, of: module)
        let defined = Int(index) - parsed.importedFunctionCount
        if parsed.bodies.indices.contains(defined) {
            let body = parsed.bodies[defined]
            guard body.count <= Self.bodyLimit else {
                throw APIFailure(
                    .contentTooLarge,
                    "the function has \(body.count) bytes, more than the \(Self.bodyLimit) that are "
                        + "shown here: use 'wasmd explore'")
            }
            let (wasm, code) = try await request.loop.blocking {
                (
                    InstructionText.lines(of: body, in: parsed),
                    EngineExplorer().explore(module: module, function: index)
                )
            }
            members += [
                .init("wasm", .array(wasm.map(Self.document))),
                .init("registers", .array(code.map(Self.document))),
            ]
        }
        try await request.respond(.object(members))
    }

    private func module(of request: RoutedRequest) async throws -> Module {
        do {
            return try await executor.module(named: request.text("id"), on: request.loop)
        } catch ExecutorError.notFound {
            throw APIFailure(.notFound, "\(ExecutorError.notFound)")
        } catch let error as ExecutorError {
            throw APIFailure(.serviceUnavailable, "\(error)")
        }
    }

    private func facts(_ index: FunctionIndex, of module: Module) -> [Document.Member] {
        let parsed = module.parsed
        var members: [Document.Member] = [
            .init("index", .integer(Int64(index))),
            .init("type", .string(parsed.functionType(at: index)?.description ?? "")),
        ]
        if let name = module.names?.functions[index] {
            members.append(.init("name", .string(HarmlessText.text(name.utf8))))
        }
        let defined = Int(index) - parsed.importedFunctionCount
        if parsed.bodies.indices.contains(defined) {
            members.append(.init("size", .integer(Int64(parsed.bodies[defined].count))))
        } else {
            members.append(.init("imported", true))
        }
        return members
    }

    private static func document(_ line: InstructionLine) -> Document {
        .object([
            .init("offset", .integer(Int64(line.offset))),
            .init("depth", .integer(Int64(line.depth))), .init("text", .string(line.text)),
        ])
    }

    private static func document(_ line: RegisterLine) -> Document {
        .object([
            .init("offset", line.offset.map { .integer(Int64($0)) } ?? .null),
            .init("word", .integer(Int64(line.word))), .init("text", .string(line.text)),
        ])
    }

    // MARK: The interface

    static let api = APITable("code", "The code of stored modules.", table, schemas: schemas)

    private static let id = APIOperation.Parameter(
        "id", .path, .uuid, "The id of a stored module.", isRequired: true)

    private static let table: [APIOperation] = [
        APIOperation(
            .get, "/admin/modules/{id}/functions", "listFunctions", "Functions of a module.",
            needs: .admin
        ).with(
            id, .init("limit", .query, .number(1...10_000), "How many; 1000 without it."),
            .init("after", .query, .number(0...Int(UInt32.max)), "The 'next' of the page before.")
        ).answering(.init(200, "A page.", .json("FunctionPage"))),
        APIOperation(
            .get, "/admin/modules/{id}/functions/{index}", "showFunction",
            "A function's instructions, and the register code that they become.", needs: .admin
        ).with(
            id,
            .init(
                "index", .path, .number(0...Int(UInt32.max)), "Imports count.", isRequired: true)
        ).answering(.init(200, "The function.", .json("Function"))),
    ]

    private static let schemas: [Document.Member] = [
        .init(
            "Function",
            APISchema.object([
                "index": APISchema.type("integer"), "type": APISchema.type("string"),
                "name?": APISchema.type("string"),
                "size?": APISchema.type("integer", "Bytes of the body."),
                "imported?": APISchema.type("boolean"),
                "wasm?": APISchema.array(
                    APISchema.object([
                        "offset": APISchema.type("integer", "In the file."),
                        "depth": APISchema.type("integer"), "text": APISchema.type("string"),
                    ])),
                "registers?": APISchema.array(
                    APISchema.object([
                        "offset": .boolean(true), "word": APISchema.type("integer"),
                        "text": APISchema.type("string"),
                    ])),
            ])),
        .init(
            "FunctionPage",
            APISchema.object([
                "module": .object([
                    .init("type", .array(["string", "null"])),
                    .init("description", "The name that the module gives itself."),
                ]),
                "count": APISchema.type("integer", "Functions, imports among them."),
                "items": APISchema.array(APISchema.reference("Function")),
                "next": .boolean(true),
            ])),
    ]
}
