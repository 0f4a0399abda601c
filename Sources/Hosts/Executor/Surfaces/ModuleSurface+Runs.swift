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
        let query = try Query(request)
        let profile = try self.profile(query)
        let (stored, kept, module) =
            if let known = try executor.known(id, for: requester.tenant) {
                known
            } else {
                try await executor.loaded(
                    try await executor.entry(id, for: requester.tenant, on: request.loop),
                    on: request.loop)
            }
        let result: CallResult
        do {
            let function = try query.text("function")
            let plan =
                if let known = stored.knownPlan(function) {
                    known
                } else {
                    try await executor.plan(
                        of: stored, function, in: module, for: requester.tenant, on: request.loop)
                }
            if plan.isProgram {
                return try await runProgram(
                    stored, query, profile, request, response, requester)
            }
            let arguments = try await self.arguments(request, plan, module.module)
            result = try await executor.call(
                module, plan, kept,
                ModuleCall(
                    arguments: arguments, caller: stored.caller,
                    observation: Self.observation(for: profile), requester: requester),
                on: request.loop)
        } catch let fault as ArgumentFault {
            throw Failure(.badRequest, "\(fault)")
        } catch let missing as FunctionMissing {
            throw Failure(.badRequest, "the module exports no function '\(missing.name)'")
        }
        response.mark = result.run.record?.id.words ?? (0, 0)
        if let error = result.run.error as? LinkError { throw error }
        try Failure.check(result.run)
        if profile == nil, result.results.allSatisfy({ $0.doubleValue != nil }) {
            return try await response.respond(
                JSONAnswer.head, Self.text(of: result), to: request)
        }
        let id = result.run.record.map { Document.string($0.id.description) }
        let note = result.note.map { Document.string($0) }
        var members: [Document.Member] = [
            .init("result", result.results.first ?? .null),
            .init("results", .array(result.results)),
        ]
        if let id { members.append(.init("run", id)) }
        if let note { members.append(.init("note", note)) }
        if let text = try await text(of: profile, result.run, request.loop) {
            members.append(.init("profile", .string(text)))
        }
        try await response.respond(json: .object(members), to: request)
    }

    /// The result of a call that returned numbers, without a document in between.
    private static func text(of result: CallResult) -> [UInt8] {
        var writer = JSONWriter(capacity: 160)
        writer.beginObject()
        writer.name(plain: "result")
        writer.value(result.results.first ?? .null)
        writer.name(plain: "results")
        writer.beginArray()
        for value in result.results { writer.value(value) }
        writer.endArray()
        if let record = result.run.record {
            writer.name(plain: "run")
            writer.plainString { record.id.append(to: &$0) }
        }
        if let note = result.note { writer.member("note", .string(note)) }
        writer.endObject()
        return writer.take()
    }

    /// The body, and its share of the budget of uploads.
    private func input(
        _ request: ServerRequest
    ) async throws -> ([UInt8], UploadBudget.Share) {
        do {
            let uploads = executor.uploads
            if let whole = try uploads.bufferedBody(of: request, limit: Self.inputLimit) {
                return whole
            }
            return try await uploads.body(of: request, limit: Self.inputLimit)
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
        RunFindings.Form.lcov.rawValue,
    ]

    private static func observation(for form: RunFindings.Form?) -> RunObservation? {
        form.map { $0 == .lcov ? .coverage : .profile }
    }

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
    private static func programResult(
        _ output: [UInt8], _ code: UInt32, _ id: RunID?, profile: String
    ) -> Document {
        var members: [Document.Member] = []
        if let text = String(validating: output, as: UTF8.self) {
            members.append(.init("output", .string(text)))
        } else {
            let base64 = Base64.encode(output)
            members.append(
                .init("output_base64", .string(String(decoding: base64, as: UTF8.self))))
        }
        members.append(.init("exit_code", .integer(Int64(code))))
        if let id { members.append(.init("run", .string(id.description))) }
        members.append(.init("profile", .string(profile)))
        return .object(members)
    }

    /// Arguments: an array, an object by names, or either in `args`; no body for none.
    ///
    /// Large ones are read by another thread, which frees what the function does not take.
    private func arguments(
        _ request: ServerRequest, _ plan: CallPlan, _ module: Module
    ) async throws -> CallArguments {
        let (body, share) = try await input(request)
        defer { withExtendedLifetime(share) {} }
        if body.isEmpty { return .list([]) }
        let shape = plan.shape
        guard body.count <= EventLoop.smallWork else {
            return try await request.loop.computing(over: body.count) {
                var given = try Self.arguments(body)
                if case .named(let members) = given, !shape.knows(members) {
                    given = .named(shape.translated(members, module, plan.function))
                }
                return try shape.checked(given)
            }
        }
        let given = try Self.arguments(body)
        guard case .named(let members) = given, !shape.knows(members) else { return given }
        // The first look at a module's names takes as long as the module is large.
        return try await request.loop.computing(over: .max) {
            .named(shape.translated(members, module, plan.function))
        }
    }

    private static func arguments(_ body: [UInt8]) throws -> CallArguments {
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
        _ stored: StoredModule, _ query: Query, _ profile: RunFindings.Form?,
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
        let (input, share) = try await input(request)
        defer { withExtendedLifetime(share) {} }
        call.input = input
        call.requester = requester
        call.caller = stored.caller
        call.observation = Self.observation(for: profile)
        let result = try await executor.run(stored, call, on: request.loop)
        response.mark = result.run.record?.id.words ?? (0, 0)
        var code: UInt32 = 0
        if case .exited(let exit) = result.run.outcome {
            code = exit
        } else {
            try Failure.check(result.run)
        }
        if let text = try await text(of: profile, result.run, request.loop) {
            let (output, exit, id) = (result.output, code, result.run.record?.id)
            let answer = try await request.loop.computing(
                over: output.count + text.utf8.count
            ) { JSONWriter.write(Self.programResult(output, exit, id, profile: text)) }
            return try await response.respond(JSONAnswer.head, answer)
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
