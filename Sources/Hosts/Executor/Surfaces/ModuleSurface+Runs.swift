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
        let profile = try self.profile(query)
        let module = try await executor.module(record, on: request.loop)
        let function = try Executor.function(
            try query.text("function"), record, in: module.module)
        if function == "_start" {
            return try await runProgram(record, query, profile, request, response, requester)
        }
        let arguments = try await self.arguments(request)
        let result: CallResult
        do {
            result = try await executor.call(
                record,
                ModuleCall(
                    function: function, arguments: arguments,
                    caller: "\(request.method.name) /wasm/\(id)",
                    observation: profile == nil ? nil : .profile, requester: requester),
                on: request.loop)
        } catch let fault as ArgumentFault {
            throw Failure(.badRequest, "\(fault)")
        } catch let missing as FunctionMissing {
            throw Failure(.badRequest, "the module exports no function '\(missing.name)'")
        }
        response.mark = result.run.record?.id.words ?? (0, 0)
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
        if let text = try await text(of: profile, result.run, request.loop) {
            members.append(.init("profile", .string(text)))
        }
        try await response.respond(json: .object(members), to: request)
    }

    private func input(_ request: ServerRequest) async throws -> [UInt8] {
        do {
            return try await request.body(limit: Self.inputLimit)
        } catch HTTPServerError.request(.bodyTooLarge) {
            var failure = Failure(
                .contentTooLarge, "arguments and input may have \(Self.inputLimit) bytes")
            failure.limit = "input"
            throw failure
        }
    }

    // MARK: Profiles

    /// The forms of `?profile=`; `1` is the first.
    static let profileForms = [
        RunFindings.Form.firefoxProfile.rawValue, RunFindings.Form.flameGraph.rawValue,
    ]

    private func profile(_ query: Query) throws(Failure) -> RunFindings.Form? {
        guard let text = try query.text("profile"), text != "0" else { return nil }
        guard executor.options.allowsProfiles else {
            throw Failure(.forbidden, "this server makes no profiles of single runs")
        }
        if text == "1" { return .firefoxProfile }
        guard Self.profileForms.contains(text) else {
            throw Failure(
                .badRequest, "'profile' must be 1, \(Self.profileForms.joined(separator: " or "))")
        }
        return RunFindings.Form(rawValue: text)
    }

    private func text(
        of form: RunFindings.Form?, _ run: RunResult, _ loop: EventLoop
    ) async throws -> String? {
        guard let form, let findings = run.findings else { return nil }
        let name = run.record?.moduleName ?? ""
        return try await findings.text(form, module: name, on: loop)
    }

    /// What a program answers if its profile is wanted: JSON in place of its output.
    private func programResult(
        _ result: ProgramResult, _ code: UInt32, profile: String
    ) -> Document {
        var members: [Document.Member] = []
        if let text = String(validating: result.output, as: UTF8.self) {
            members.append(.init("output", .string(text)))
        } else {
            let base64 = Base64.encode(result.output)
            members.append(
                .init("output_base64", .string(String(decoding: base64, as: UTF8.self))))
        }
        members.append(.init("exit_code", .integer(Int64(code))))
        if let record = result.run.record {
            members.append(.init("run", .string(record.id.description)))
        }
        members.append(.init("profile", .string(profile)))
        return .object(members)
    }

    /// Arguments: an array, an object by names, or either in `args`; no body for none.
    private func arguments(_ request: ServerRequest) async throws -> CallArguments {
        let body = try await input(request)
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
        _ record: ModuleRecord, _ query: Query, _ profile: RunFindings.Form?,
        _ request: ServerRequest, _ response: ServerResponse, _ requester: Requester
    ) async throws {
        var call = ProgramCall()
        call.arguments = query.all("arg")
        call.environment = query.all("env")
        if call.environment.contains(where: {
            $0.first == UInt8(ascii: "=") || !$0.contains(UInt8(ascii: "="))
        }) {
            throw Failure(.badRequest, "'env' must be NAME=VALUE")
        }
        if (call.arguments + call.environment).contains(where: { $0.contains(0) }) {
            throw Failure(.badRequest, "'arg' and 'env' cannot hold a zero byte")
        }
        call.input = try await input(request)
        call.requester = requester
        call.caller = "POST /wasm/\(record.id)"
        call.observation = profile == nil ? nil : .profile
        let result = try await executor.run(record, call, on: request.loop)
        response.mark = result.run.record?.id.words ?? (0, 0)
        var code: UInt32 = 0
        if case .exited(let exit) = result.run.outcome {
            code = exit
        } else {
            try Failure.check(result.run)
        }
        if let text = try await text(of: profile, result.run, request.loop) {
            return try await response.respond(
                json: programResult(result, code, profile: text), on: request.loop)
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
