import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdWasmiot

/// Moves functions away from devices that are gone, and back.
extension Orchestrator {
    /// Does for all deployments what the status of devices asks for, and what failed before: called
    /// after each round of checks.
    func mend(on loop: EventLoop) async {
        let inactive = Set(
            devices.all().filter { $0.status == .inactive && !$0.isOrchestrator }
                .map(\.id.description))
        for entry in deployments.all() {
            let document = entry.document
            let used = document["sequence"]?.arrayValue?.compactMap { $0["device"]?.stringValue }
            if !inactive.isEmpty, used?.contains(where: inactive.contains) == true {
                await failOver(entry, from: inactive, on: loop)
            } else if document["isInFailover"] == .boolean(true) {
                await recover(entry, on: loop)
            }
            await settle(entry.id, on: loop)
            // What it is now.
            guard let now = deployments[entry.id], now.document["deployError"] != nil,
                now.document["active"] == .boolean(true)
            else { continue }
            do {
                _ = try await deploy(now.id, now.document, on: loop)
            } catch {
                let reason = Failure(error).reason
                if reason != now.document["deployError"]?.stringValue {
                    await note(reason, in: now, on: loop)
                }
            }
        }
    }

    /// Moves the functions of devices that are gone to devices that may take over.
    private func failOver(
        _ entry: Collection.Entry, from gone: Set<String>, on loop: EventLoop
    ) async {
        var sequence = entry.document["sequence"]?.arrayValue ?? []
        let groups = entry.document["failoversBySequence"]?.arrayValue ?? []
        var isModified = false
        for index in sequence.indices where index < groups.count {
            guard let text = sequence[index]["device"]?.stringValue, gone.contains(text) else {
                continue
            }
            let candidates = (groups[index].arrayValue ?? []).dropFirst()
                .compactMap(\.stringValue)
            let next = candidates.first { candidate in
                guard !gone.contains(candidate), let id = ObjectID(candidate),
                    let known = devices[id]
                else { return false }
                return known.status == .active && known.isBlacklisted != true
            }
            guard let next else { continue }
            sequence[index].set("device", .string(next))
            isModified = true
        }
        if isModified { await move(entry, to: sequence, isInFailover: true, on: loop) }
    }

    /// Moves functions back to devices that are there again.
    private func recover(_ entry: Collection.Entry, on loop: EventLoop) async {
        let goals = entry.document["goalDeployment"]?.arrayValue?.map(\.stringValue) ?? []
        var sequence = entry.document["sequence"]?.arrayValue ?? []
        var isModified = false
        for index in sequence.indices where index < goals.count {
            guard let goal = goals[index], sequence[index]["device"]?.stringValue != goal,
                let device = ObjectID(goal).flatMap({ devices[$0] }), device.status == .active,
                device.isBlacklisted != true
            else { continue }
            sequence[index].set("device", .string(goal))
            isModified = true
        }
        let isRestored = sequence.map { $0["device"]?.stringValue } == goals
        if isModified {
            await move(entry, to: sequence, isInFailover: !isRestored, on: loop)
        }
    }

    private func move(
        _ entry: Collection.Entry, to sequence: [Document], isInFailover: Bool, on loop: EventLoop
    ) async {
        let manifest = Document.object([
            .init("name", .string(entry.name ?? "")), .init("sequence", .array(sequence)),
        ])
        do {
            let document = try await resolve(
                entry.id, manifest, isInFailover: isInFailover, on: loop)
            if entry.document["active"] == .boolean(true) {
                _ = try await deploy(entry.id, document, on: loop)
            }
        } catch {
            // Tried again after the next checks.
            let reason = Failure(error).reason
            if entry.document["deployError"]?.stringValue != reason {
                await note(reason, in: entry, on: loop)
            }
        }
    }
}
