import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

extension ModuleSurface {
    /// Bytes of a body that gives arguments or standard input.
    private static let inputLimit = 16 << 20

    func run(
        _ id: ModuleID, _ request: ServerRequest, _ response: ServerResponse,
        _ requester: Requester
    ) async throws {
        let stored = try await executor.entry(id, for: requester.tenant, on: request.loop)
        let query = try Query(request)
        let kept = executor.keptState(of: stored.record)
        let module = try await executor.module(stored.record, kept, on: request.loop)
        let result: CallResult
        do {
            let plan = try await executor.plan(
                of: stored, try query.text("function"), in: module, for: requester.tenant,
                on: request.loop)
            if plan.isProgram {
                return try await runProgram(
                    stored.record, query, request, response, requester)
            }
            let arguments = try await self.arguments(request)
            result = try await executor.call(
                module, plan, kept,
                ModuleCall(arguments: arguments, caller: stored.caller, requester: requester),
                on: request.loop)
        } catch let fault as ArgumentFault {
            throw Failure(.badRequest, "\(fault)")
        } catch let missing as FunctionMissing {
            throw Failure(.badRequest, "the module exports no function '\(missing.name)'")
        }
        if let error = result.run.error as? LinkError { throw error }
        try Failure.check(result.run)
        let id = result.run.record.map { Document.string($0.id.description) }
        let note = result.note.map { Document.string($0) }
        let isSmall = result.results.allSatisfy { $0.doubleValue != nil }
        if isSmall {
            // Without a document in between.
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("result", result.results.first ?? .null)
            writer.name("results")
            writer.beginArray()
            for value in result.results { writer.value(value) }
            writer.endArray()
            if let id { writer.member("run", id) }
            if let note { writer.member("note", note) }
            writer.endObject()
            return try await response.respond(JSONAnswer.head, writer.take(), to: request)
        }
        var members: [Document.Member] = [
            .init("result", result.results.first ?? .null),
            .init("results", .array(result.results)),
        ]
        if let id { members.append(.init("run", id)) }
        if let note { members.append(.init("note", note)) }
        try await response.respond(json: .object(members), to: request)
    }

    /// Arguments: an array, an object by names, or either in `args`; no body for none.
    private func arguments(_ request: ServerRequest) async throws -> CallArguments {
        let body = try await request.body(limit: Self.inputLimit)
        if body.isEmpty { return .list([]) }
        let document: Document
        do throws(JSONError) {
            document = try JSONReader.read(body)
        } catch {
            throw Failure(.badRequest, "the arguments are no JSON: \(error)")
        }
        let given = document["args"] ?? document
        if let list = given.arrayValue { return .list(list) }
        if let members = given.objectValue { return .named(members) }
        throw Failure(.badRequest, "arguments must be an array, or an object by their names")
    }

    private func runProgram(
        _ record: ModuleRecord, _ query: Query, _ request: ServerRequest,
        _ response: ServerResponse, _ requester: Requester
    ) async throws {
        var call = ProgramCall()
        call.arguments = query.all("arg")
        call.environment = query.all("env")
        if call.environment.contains(where: { $0.first == UInt8(ascii: "=") || !$0.contains(UInt8(ascii: "=")) }) {
            throw Failure(.badRequest, "'env' must be NAME=VALUE")
        }
        if (call.arguments + call.environment).contains(where: { $0.contains(0) }) {
            throw Failure(.badRequest, "'arg' and 'env' cannot hold a zero byte")
        }
        call.input = try await request.body(limit: Self.inputLimit)
        call.requester = requester
        call.caller = "POST /wasm/\(record.id)"
        let result = try await executor.run(record, call, on: request.loop)
        var code: UInt32 = 0
        if case .exited(let exit) = result.run.outcome {
            code = exit
        } else {
            try Failure.check(result.run)
        }
        var head = ResponseHead(.ok)
        let type = request.fields.first("accept").flatMap { accept -> [UInt8]? in
            guard let type = MediaType(accept), !type.name.contains(UInt8(ascii: "*")) else {
                return nil
            }
            return type.name
        }
        try head.fields.append(
            "Content-Type", type ?? Array("text/plain; charset=utf-8".utf8))
        try head.fields.append("X-Content-Type-Options", "nosniff")
        try head.fields.append("Wasmd-Exit-Code", "\(code)")
        if let record = result.run.record {
            try head.fields.append("Wasmd-Run", "\(record.id)")
        }
        try await response.respond(head, result.output, to: request)
    }
}
