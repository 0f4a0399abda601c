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
        let record = try await executor.record(
            id, for: requester.tenant, on: request.loop)
        let query = try Query(request)
        let module = try await executor.module(record, on: request.loop)
        let function = try Executor.function(
            try query.text("function"), record, in: module.module)
        if function == "_start" {
            return try await runProgram(record, query, request, response, requester)
        }
        let arguments = try await self.arguments(request)
        let result: CallResult
        do {
            result = try await executor.call(
                record,
                ModuleCall(
                    function: function, arguments: arguments,
                    caller: "\(request.method.name) /wasm/\(id)", requester: requester),
                on: request.loop)
        } catch let fault as ArgumentFault {
            throw Failure(.badRequest, "\(fault)")
        } catch let missing as FunctionMissing {
            throw Failure(.badRequest, "the module exports no function '\(missing.name)'")
        }
        if let error = result.run.error as? LinkError { throw error }
        try Failure.check(result.run)
        var members: [Document.Member] = [
            .init("result", result.results.first ?? .null),
            .init("results", .array(result.results)),
        ]
        if let record = result.run.record {
            members.append(.init("run", .string(record.id.description)))
        }
        if let note = result.note { members.append(.init("note", .string(note))) }
        try await response.respond(json: .object(members), on: request.loop)
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
        try await response.respond(head, result.output)
    }
}
