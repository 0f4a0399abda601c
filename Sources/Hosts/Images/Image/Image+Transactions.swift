import WasmSystem

extension Image {
    /// A change that waits for its turn, of a thread that waits for it.
    final class Job: @unchecked Sendable {
        /// Nil when it has run: it must not outlive the call of its thread.
        private var body: ((ImageTransaction) throws(ImageError) -> Void)?
        /// Set under the lock of `Image.queue`.
        private(set) var outcome: Result<Void, ImageError>?

        init(_ body: @escaping (ImageTransaction) throws(ImageError) -> Void) { self.body = body }

        func run(_ transaction: ImageTransaction) throws(ImageError) { try body?(transaction) }

        /// Ends the wait of its thread.
        func finish(_ outcome: Result<Void, ImageError>) {
            body = nil
            self.outcome = outcome
        }
    }

    /// Who may use the pager, and what waits.
    struct Turns: Sendable {
        var isTaken = false
        var jobs: [Job] = []
    }

    /// Runs `body` while no other thread uses the pager.
    func withTurn<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        while true {
            queue.wait { !$0.isTaken }
            let isMine = queue.withLock { turns in
                if turns.isTaken { return false }
                turns.isTaken = true
                return true
            }
            if isMine { break }
        }
        defer { queue.withLock { $0.isTaken = false } }
        return try body()
    }

    /// Shows the image as one moment has it. Waits for a writer to end.
    ///
    /// - Throws: what `body` throws, `busy`, `damaged` and others.
    @discardableResult
    public func read<Value>(
        _ body: (ImageView) throws(ImageError) -> Value
    ) throws(ImageError) -> Value {
        try withTurn { () throws(ImageError) in
            try pager.begin(writing: false)
            let view = ImageView(self)
            defer {
                view.isOpen = false
                pager.endReading()
            }
            try loadTables()
            let value = try body(view)
            try pager.checkLog()
            return value
        }
    }

    /// Changes the image: all that `body` does, or nothing if it throws. When this returns, the
    /// change is on the disk.
    ///
    /// Changes of several threads become durable together; each of them is undone alone if it
    /// throws. `body` runs on any of these threads.
    ///
    /// - Throws: what `body` throws, `busy`, `full`, `readOnly`, `damaged`, `failedSync` and others.
    @discardableResult
    public func write<Value>(
        _ body: (ImageTransaction) throws(ImageError) -> Value
    ) throws(ImageError) -> Value {
        var value: Value?
        try withoutActuallyEscaping(body) { (body) throws(ImageError) in
            let job = Job { (transaction) throws(ImageError) in value = try body(transaction) }
            try run(job)
        }
        guard let value else { throw .closed }
        return value
    }

    private func run(_ job: Job) throws(ImageError) {
        queue.withLock { $0.jobs.append(job) }
        while true {
            queue.wait { !$0.isTaken || job.outcome != nil }
            let jobs: [Job]? = queue.withLock { turns in
                if job.outcome != nil || turns.isTaken { return nil }
                turns.isTaken = true
                defer { turns.jobs = [] }
                return turns.jobs
            }
            if let jobs {
                let outcomes = commit(jobs)
                queue.withLock { turns in
                    for (job, outcome) in zip(jobs, outcomes) { job.finish(outcome) }
                    turns.isTaken = false
                }
            }
            if let outcome = queue.withLock({ _ in job.outcome }) { return try outcome.get() }
        }
    }

    /// Runs changes in one transaction.
    private func commit(_ jobs: [Job]) -> [Result<Void, ImageError>] {
        var outcomes: [Result<Void, ImageError>] = []
        do throws(ImageError) {
            try pager.begin(writing: true)
            try loadTables()
            for job in jobs { outcomes.append(try run(job, isAlone: jobs.count == 1)) }
            try pager.commit()
            scheduleSettling()
            return outcomes
        } catch {
            try? pager.rollBack()
            tables = nil
            let reason = pager.failure ?? error
            // Those that failed by themselves keep their error.
            return jobs.indices.map { index in
                if index < outcomes.count, case .failure = outcomes[index] {
                    return outcomes[index]
                }
                return .failure(reason)
            }
        }
    }

    /// Runs one change of several; throws if the transaction cannot go on.
    private func run(_ job: Job, isAlone: Bool) throws(ImageError) -> Result<Void, ImageError> {
        let transaction = ImageTransaction(self)
        defer { transaction.isOpen = false }
        if isAlone {
            try job.run(transaction)
            return .success(())
        }
        pager.setSavepoint()
        do throws(ImageError) {
            try job.run(transaction)
            pager.releaseSavepoint()
            return .success(())
        } catch {
            try pager.returnToSavepoint()
            tables = nil
            try loadTables()
            return .failure(error)
        }
    }

    /// Reads the schema, if another process changed it or it was not read yet.
    func loadTables() throws(ImageError) {
        let cookie = try pager.page(1).number32(
            DatabaseHeader.Field.schemaCookie, .init(page: 1, .header))
        if let tables, tables.schema.cookie == cookie { return }
        tables = nil
        tables = try ImageTables(try Schema(pager), pager)
    }
}
