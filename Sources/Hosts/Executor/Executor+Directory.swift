import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdOperation

extension Executor: ModuleDirectory {
    public func page(
        after: String?, limit: Int, on loop: EventLoop
    ) async throws -> (items: [Document], next: String?) {
        var start: ModuleID?
        if let after {
            guard let id = try? ModuleID(after.utf8) else {
                throw APIFailure(.badRequest, "'after' is no id of a module")
            }
            start = id
        }
        let page = try await page(after: start, limit: limit, on: loop)
        let known = Dictionary(
            cache.modules.map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
        let items = page.records.map { record in
            var members: [Document.Member] = [
                .init("id", .string(record.id.description)),
                .init("sha256", .string(record.digest.description)),
                .init("size", .integer(Int64(record.size))),
                .init("function", record.function.map { .string($0) } ?? .null),
                .init("created", .integer(record.created)),
                .init("changed", .integer(record.changed)),
                .init("compiled", .boolean(known[record.digest] != nil)),
            ]
            if let module = known[record.digest] {
                let totals = module.scope.totals
                members += [
                    .init("name", .string(module.scope.name)),
                    .init("runs", .integer(Int64(clamping: totals.runs))),
                    .init("failures", .integer(Int64(clamping: totals.failures))),
                    .init("running", .integer(Int64(module.scope.runningCount))),
                    .init("fuel", .integer(Int64(clamping: totals.fuel))),
                    .init("computing_seconds", .double(Double(totals.computingTime) * 1e-9)),
                ]
            }
            return Document.object(members)
        }
        return (items, page.next?.description)
    }

    public func digest(of name: String, on loop: EventLoop) async throws -> SHA256.Digest? {
        guard let id = try? ModuleID(name.utf8) else { return nil }
        return try await modules.entry(id, on: loop)?.record.digest
    }
}
