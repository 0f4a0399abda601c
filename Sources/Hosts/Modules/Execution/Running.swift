import WasmdDocuments
import WasmdEventLoop
import WasmdWasmiot

/// Begins executions, for clients and schedules.
extension Orchestrator {
    /// Begins to run a deployment. The task ends with the execution.
    ///
    /// - Parameter isKept: whether it is stored when it ends; the caller waits for its answer
    ///   otherwise.
    func begin(
        _ entry: Collection.Entry, _ body: UploadBody, isScheduled: Bool = false,
        isKept: Bool, on loop: EventLoop
    ) throws -> (execution: Execution, task: LoopTask<Void>) {
        let execution = try executions.begin(
            entry, isScheduled: isScheduled, isAwaited: !isKept)
        let task = loop.spawn { [self] in
            let result: Result<[Document.Member], any Error>
            do {
                result = .success(try await perform(entry, body, execution, on: loop))
            } catch {
                result = .failure(error)
            }
            execution.end(result)
            executions.ended(execution)
            guard isKept else { return }
            do {
                // Not a part of what may have been cancelled.
                let keeping = loop.spawn { [executions] () -> (any Error)? in
                    do {
                        try await executions.keep(execution, on: loop)
                        return nil
                    } catch { return error }
                }
                if let error = await keeping.value { throw error }
            } catch {
                options.report("an execution of '\(entry.name ?? "")' is not stored: \(error)")
            }
        }
        execution.setCancel { task.cancel() }
        return (execution, task)
    }

    /// Runs a deployment and waits for the result; ends with its caller.
    func execute(
        _ entry: Collection.Entry, _ body: UploadBody, on loop: EventLoop
    ) async throws -> Document {
        let (execution, task) = try begin(entry, body, isKept: false, on: loop)
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            _ = execution.cancel()
        }
        if let failure = execution.failure {
            if Task.isCancelled { throw LoopError.cancelled }
            throw failure
        }
        return .object(execution.takeAnswer())
    }

    private func perform(
        _ entry: Collection.Entry, _ body: UploadBody, _ execution: Execution,
        on loop: EventLoop
    ) async throws -> [Document.Member] {
        var members: [Document.Member]
        if let document = entry.document["workflow"], document["steps"] != nil {
            let workflow: Workflow
            do throws(WorkflowFault) {
                workflow = try Workflow(
                    document, stepCount: entry.document["sequence"]?.arrayValue?.count ?? 0)
            } catch {
                throw Failure(.internalServerError, "scheduling work failed", "\(error)")
            }
            members = try await run(workflow, entry, body, execution, on: loop)
        } else if Solution.repeatsFunction(entry.document["sequence"]) {
            let count = entry.document["sequence"]?.arrayValue?.count ?? 0
            members = try await run(Workflow(chainOf: count), entry, body, execution, on: loop)
        } else {
            members = try await runChain(entry, body, execution, on: loop)
        }
        members.append(
            .init("isInFailover", .boolean(entry.document["isInFailover"] == .boolean(true))))
        return members
    }
}
